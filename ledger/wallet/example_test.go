package wallet_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/alia-network/alia/ledger/wallet"
)

// A new wallet, sealed and opened again.
func Example() {
	dir, err := os.MkdirTemp("", "wallet")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "wallet")
	w := wallet.New()
	if err := w.Save(path, "correct horse battery staple"); err != nil {
		log.Fatal(err)
	}
	opened, err := wallet.Open(path, func() (string, error) { return "correct horse battery staple", nil })
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(opened.Account() == w.Account())
	// Output: true
}

// A key written on paper, and read from it.
func ExampleWallet_Phrase() {
	w := wallet.New()
	again, err := wallet.FromPhrase(w.Phrase())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.Account() == w.Account())
	// Output: true
}
