package main

// freeMemory is the bytes that this process can still take.
func freeMemory() (uint64, error) { return linuxMemory("/") }
