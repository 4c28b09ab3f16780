package genesis_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/genesis"
	"github.com/alia-network/alia/protocol"
)

func account(name string) protocol.Account {
	seed := sha256.Sum256([]byte(name))
	return protocol.AccountOf(ed25519.NewKeyFromSeed(seed[:]))
}

func village() ledger.Genesis {
	return ledger.Genesis{
		Version: 1, Network: "village", Params: ledger.DefaultParams(),
		Validators: []protocol.Account{account("ada"), account("bob")},
	}
}

var founded = time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)

func document(t testing.TB) []byte {
	t.Helper()
	data, err := genesis.Make(village(), founded)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestMake(t *testing.T) {
	data := document(t)
	doc, err := genesis.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if want := sha256.Sum256(data); doc.Net != want || doc.Ledger.Network != "village" || len(doc.Comet.Validators) != 2 {
		t.Errorf("read back %+v", doc)
	}
	if !strings.HasPrefix(doc.Comet.ChainID, "village-") || len(doc.Comet.ChainID) != len("village-")+8 {
		t.Errorf("chain id %q", doc.Comet.ChainID)
	}
	if again := document(t); string(again) != string(data) {
		t.Error("the same network has two documents")
	}
	later, err := genesis.Make(village(), founded.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if other, err := genesis.Parse(later); err != nil || other.Comet.ChainID == doc.Comet.ChainID {
		t.Errorf("founded again: chain id %q, %v", other.Comet.ChainID, err)
	}
}

// The longest name and the most validators still make a document that is read.
func TestLargest(t *testing.T) {
	g := village()
	g.Network, g.Validators = strings.Repeat("n", ledger.MaxName), nil
	for i := range ledger.MaxValidators {
		g.Validators = append(g.Validators, account(strings.Repeat("v", i)))
	}
	data, err := genesis.Make(g, founded)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := genesis.Parse(data); err != nil {
		t.Errorf("%d bytes: %v", len(data), err)
	}
}

// Every field with a wrong value is refused with words that name the field.
func TestParseRefuses(t *testing.T) {
	good := document(t)
	type object = map[string]any
	at := func(v any, path ...any) any { // walks down objects and lists
		for _, step := range path {
			switch step := step.(type) {
			case string:
				v = v.(object)[step]
			case int:
				v = v.([]any)[step]
			}
		}
		return v
	}
	set := func(value any, path ...any) func(object) {
		return func(doc object) {
			last := len(path) - 1
			switch step := path[last].(type) {
			case string:
				at(doc, path[:last]...).(object)[step] = value
			case int:
				at(doc, path[:last]...).([]any)[step] = value
			}
		}
	}
	validators := func(change func([]any) []any) func(object) {
		return func(doc object) { doc["validators"] = change(doc["validators"].([]any)) }
	}
	for name, c := range map[string]struct {
		change func(object)
		want   string
	}{
		"no time":              {set("0001-01-01T00:00:00Z", "genesis_time"), "genesis_time"},
		"other time":           {set("2026-01-02T03:04:06.678Z", "genesis_time"), "chain_id"},
		"microseconds":         {set("2026-01-02T03:04:05.678001Z", "genesis_time"), "genesis_time"},
		"no chain id":          {set("", "chain_id"), "chain_id"},
		"other chain id":       {set("village-00000000", "chain_id"), "chain_id"},
		"the bare name":        {set("village", "chain_id"), "chain_id"},
		"height 2":             {set("2", "initial_height"), "initial_height"},
		"height 0":             {set("0", "initial_height"), "initial_height"},
		"negative height":      {set("-1", "initial_height"), "initial_height"},
		"an app hash":          {set("00", "app_hash"), "app_hash"},
		"no parameters":        {set(nil, "consensus_params"), "consensus_params"},
		"large heights":        {set("4194305", "consensus_params", "block", "max_bytes"), "block.max_bytes"},
		"unbounded heights":    {set("-1", "consensus_params", "block", "max_bytes"), "block.max_bytes"},
		"small heights":        {set("1000", "consensus_params", "block", "max_bytes"), "block.max_bytes"},
		"a gas limit":          {set("10", "consensus_params", "block", "max_gas"), "block.max_gas"},
		"evidence too old":     {set("100001", "consensus_params", "evidence", "max_age_num_blocks"), "max_age_num_blocks"},
		"no evidence":          {set("0", "consensus_params", "evidence", "max_age_num_blocks"), "max_age_num_blocks"},
		"evidence too late":    {set("172800000000000", "consensus_params", "evidence", "max_age_duration"), "max_age_duration"},
		"evidence at once":     {set("0", "consensus_params", "evidence", "max_age_duration"), "max_age_duration"},
		"much evidence":        {set("1048576", "consensus_params", "evidence", "max_bytes"), "evidence.max_bytes"},
		"evidence of no bytes": {set("0", "consensus_params", "evidence", "max_bytes"), "evidence.max_bytes"},
		"another kind of key":  {set([]any{"secp256k1"}, "consensus_params", "validator", "pub_key_types"), "pub_key_types"},
		"no kind of key":       {set([]any{}, "consensus_params", "validator", "pub_key_types"), "pub_key_types"},
		"vote extensions":      {set("1", "consensus_params", "abci", "vote_extensions_enable_height"), "vote_extensions"},
		"another application":  {set("2", "consensus_params", "version", "app"), "version"},
		"an authority":         {set("me", "consensus_params", "authority", "authority"), "authority"},
		"no validators":        {set([]any{}, "validators"), "validators"},
		"a validator more":     {validators(func(v []any) []any { return append(v, v[0]) }), "validators: 3, but app_state has 2"},
		"a validator less":     {validators(func(v []any) []any { return v[:1] }), "validators: 1, but app_state has 2"},
		"validators reversed":  {validators(func(v []any) []any { return []any{v[1], v[0]} }), "validators[0]"},
		"null key":             {set(nil, "validators", 0, "pub_key"), "validators[0]: pub_key"},
		"null validator":       {set(nil, "validators", 1), "validators[1]: pub_key"},
		"short key":            {set("AAAA", "validators", 0, "pub_key", "value"), "pub_key"},
		"power 0":              {set("0", "validators", 1, "power"), "validators[1]: power is 0"},
		"power 2":              {set("2", "validators", 1, "power"), "validators[1]: power is 2"},
		"negative power":       {set("-1", "validators", 1, "power"), "validators[1]: power is -1"},
		"all the power":        {set("9223372036854775807", "validators", 1, "power"), "validators[1]: power is"},
		"another's address":    {set("0000000000000000000000000000000000000000", "validators", 0, "address"), "address"},
		"no state":             {set(nil, "app_state"), "app_state"},
		"another version":      {set(2, "app_state", "version"), "version 2"},
		"no name":              {set("", "app_state", "network"), "network name"},
		"long name":            {set(strings.Repeat("n", ledger.MaxName+1), "app_state", "network"), "network name"},
		"a bell in the name":   {set("village\a", "app_state", "network"), "network name"},
		"unknown parameter":    {set(1, "app_state", "params", "interest"), "interest"},
		"no training":          {set(0, "app_state", "params", "training"), "training"},
		"other training":       {set(1, "app_state", "params", "training"), "chain_id"},
		"validator twice": {func(doc object) {
			vs, accounts := doc["validators"].([]any), at(doc, "app_state", "validators").([]any)
			vs[1], accounts[1] = vs[0], accounts[0]
		}, "listed twice"},
		"no account":          {set("alia1nobody", "app_state", "validators", 0), "app_state"},
		"nobody in it":        {set([]any{}, "app_state", "validators"), "validators"},
		"a text for a list":   {set("x", "validators"), "genesis document"},
		"a list for a text":   {set([]any{}, "chain_id"), "genesis document"},
		"a number unquoted":   {set(true, "initial_height"), "genesis document"},
		"nothing that counts": {func(doc object) { clear(doc) }, "app_state"},
	} {
		t.Run(name, func(t *testing.T) {
			var doc object
			if err := json.Unmarshal(good, &doc); err != nil {
				t.Fatal(err)
			}
			c.change(doc)
			data, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := genesis.Parse(data); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want an error with %q", err, c.want)
			}
		})
	}
	for name, data := range map[string][]byte{
		"empty": nil, "null": []byte("null"), "a list": []byte("[]"), "cut": good[:len(good)/2],
		"large": append([]byte(strings.Repeat(" ", genesis.MaxBytes)), good...),
	} {
		if _, err := genesis.Parse(data); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestMakeRefuses(t *testing.T) {
	for name, change := range map[string]func(*ledger.Genesis){
		"twice":  func(g *ledger.Genesis) { g.Validators[1] = g.Validators[0] },
		"nobody": func(g *ledger.Genesis) { g.Validators = nil },
		"name":   func(g *ledger.Genesis) { g.Network = "\x1b[2J" },
	} {
		g := village()
		change(&g)
		if _, err := genesis.Make(g, founded); err == nil {
			t.Errorf("%s: made", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	good := document(f)
	f.Add(good)
	f.Add([]byte(strings.Replace(string(good), `"pub_key": {`, `"pub_key": null, "x": {`, 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := genesis.Parse(data)
		if err != nil {
			return
		}
		if len(doc.Comet.ValidatorHash()) != sha256.Size { // CometBFT takes the validators without a panic
			t.Error("no hash of the validators")
		}
	})
}
