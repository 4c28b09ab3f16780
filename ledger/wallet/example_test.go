package wallet_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/alia-network/alia/ledger/wallet"
)

// A new wallet, opened again.
func Example() {
	dir, err := os.MkdirTemp("", "wallet")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "wallet")
	created, err := wallet.Create(path)
	if err != nil {
		log.Fatal(err)
	}
	opened, err := wallet.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(opened.Account() == created.Account())
	// Output: true
}
