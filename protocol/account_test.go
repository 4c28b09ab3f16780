package protocol

import (
	"encoding/hex"
	"strings"
	"testing"
)

// The checksum constants are BIP-350's: its valid strings check, with their own
// human-readable parts.
func TestBech32mVectors(t *testing.T) {
	for _, s := range []string{
		"a1lqfn3a",
		"abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
		"split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
	} {
		at := strings.LastIndexByte(s, '1')
		var data []byte
		for i := at + 1; i < len(s); i++ {
			data = append(data, byte(strings.IndexByte(charset, s[i])))
		}
		if polymod(append(expand(s[:at]), data...)) != checksum {
			t.Errorf("%s: checksum does not agree", s)
		}
	}
}

// TestAccountText: an account reads back from each of its forms, and no single
// wrong character passes the checksum.
func TestAccountText(t *testing.T) {
	a := Account{1, 2, 3, 31: 255}
	s := a.String()
	if len(s) != 63 || !strings.HasPrefix(s, a.Short()) || len(a.Short()) != 12 {
		t.Errorf("the account is %q, in short %q", s, a.Short())
	}
	for _, form := range []string{s, strings.ToUpper(s), hex.EncodeToString(a[:])} {
		if got, err := ParseAccount(form); err != nil || got != a {
			t.Errorf("ParseAccount(%s) = %s, %v", form, got, err)
		}
	}
	for i := len(prefix) + 1; i < len(s); i++ {
		for _, c := range charset {
			if bad := s[:i] + string(c) + s[i+1:]; bad != s {
				if _, err := ParseAccount(bad); err == nil {
					t.Fatalf("%s: error at %d not found", bad, i)
				}
			}
		}
	}
	for text, want := range map[string]string{
		"":                               "want alia1 and 58 characters",
		s[:60]:                           "want alia1 and 58 characters",
		s[:20] + "b" + s[21:]:            `character 21, 'b', stands in no account`,
		s[:20] + "xxx" + s[23:]:          "the checksum does not match",
		strings.Repeat("0", 63):          "want alia1 and 58 characters",
		strings.Repeat("zz", 32):         "want alia1 and 58 characters",
		strings.ToUpper(s[:10]) + s[10:]: "want alia1 and 58 characters",
	} {
		if _, err := ParseAccount(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseAccount(%q): %v, want an error with %q", text, err, want)
		}
	}
}

func FuzzParseAccount(f *testing.F) {
	f.Add(Account{1, 2, 3}.String())
	f.Add("alia1qqqq")
	f.Add(strings.Repeat("0f", 32))
	f.Fuzz(func(t *testing.T, s string) {
		account, err := ParseAccount(s)
		if low := strings.ToLower(s); err == nil && account.String() != low && hex.EncodeToString(account[:]) != low {
			t.Errorf("%q reads as %q", s, account)
		}
	})
}
