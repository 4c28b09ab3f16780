package client_test

import (
	"strings"
	"testing"

	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/text"
)

// TestOrderOfOtherRules: a job that was begun with other rules for sentences would have other
// sentences now. It is refused by the version of the rules.
func TestOrderOfOtherRules(t *testing.T) {
	l, err := block.LinkOf([]string{"a model"})
	if err != nil {
		t.Fatal(err)
	}
	data, err := client.EncodeOrder(client.Document{Texts: []string{"One. Two."}, Model: l, Privacy: client.PrivacySealed})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.ParseOrder(data); err != nil {
		t.Fatal(err)
	}
	if data[1] != 3 || data[2] != text.Rules {
		t.Fatalf("the order begins with % x, want its version and that of the rules", data[:3])
	}
	data[2]--
	if _, err := client.ParseOrder(data); err == nil || !strings.Contains(err.Error(), "begun with version 2 of the rules for sentences") {
		t.Errorf("an order of other rules: %v", err)
	}
	if _, err := client.ParseOrder(data[:9]); err == nil || !strings.Contains(err.Error(), "of another version of this program") {
		t.Errorf("an order that is cut short: %v", err)
	}
}
