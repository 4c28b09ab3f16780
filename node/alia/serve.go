package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/corrections"
	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/gateway"
	web "github.com/alia-network/alia/node/gateway/pages"
	"github.com/alia-network/alia/node/proof"
	"github.com/alia-network/alia/node/views"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// serveFlags are the flags of alia serve.
type serveFlags struct {
	deviceFlags
	models            []string
	int8, shortlist   bool
	listen, cert, key string
	keys, url         string
	open              bool
	origins           []string
	budget, price     amount
	month             amount
	holders           []string
	requests, work    int
	document, disk    size
	noMemory          bool
	licence           string
	keep              time.Duration
}

// serveHelp is the long help of alia serve.
const serveHelp = `Answer HTTP requests for translations, until it is interrupted: the API of
LibreTranslate at the root, version 2 of the API of DeepL below /v2, and
jobs that can be watched below /api. /openapi.json describes all of it, and
/metrics has figures for Prometheus. A browser that opens the address gets a
page for texts and documents, and for the home's training runs. With
--suggest-licence people can correct translations in the page; see "alia
corrections".

With --local this process computes the translations from the directories of
models, or from the models of this home. There is no ledger and no network, and
nobody is paid. Without it the miners of the home's network compute them, and
the home's account pays. --budget is the most for one request. A key may have an
amount: the most that its requests cost in a month. --amount is this for all
clients without a key together. Each miner reads the parts that it translates.

By default only this machine can reach the gateway, and needs no API key. Before
other machines can reach it (--listen), make keys with "alia serve key add", or
give --open. Once there is a key, only --open serves clients without one. --cert
and --tls-key turn TLS on; the files are read again when they change.

A text that was translated before, here or with "alia translate", comes from the
home's translation memory. With --no-memory the memory is neither read nor
written.

A document is kept in the home for an hour after its translation (--keep). When
the process ends, unfinished documents wait, and go on when it starts again.`

func newServe(a *app) *cobra.Command {
	var o serveFlags
	var here bool
	cmd := &cobra.Command{
		Use:   "serve [--local] [--model DIR|CID]...",
		Short: "Serve a page, and the APIs of LibreTranslate and DeepL",
		Long:  serveHelp,
		Example: `  alia serve --local --model DIR
  curl -d q=Hello -d source=en -d target=de http://127.0.0.1:8080/translate`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if here {
				if err := a.goesWith("without --local: this process asks no miner, and pays nobody", "budget", "price-max", "amount", "holder", "network"); err != nil {
					return err
				}
				e, err := o.local(a)
				if err != nil {
					return err
				}
				v, err := a.views(ctx, here)
				if err != nil {
					return err
				}
				return a.drained(ctx, serve(ctx, a, &o, e, v))
			}
			if err := a.goesWith("with --local: miners choose how they compute", "int8", "shortlist", "device", "kernels", "threads"); err != nil {
				return err
			}
			if o.open && !cmd.Flags().Changed("amount") {
				o.month = openAmount
			}
			return a.drained(ctx, a.atHome(cmd, func(ctx context.Context) error { return o.network(ctx, a) }))
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&here, "local", false, "translate in this process: no network, no pay")
	a.completeFrom(cmd, "model", a.models)
	a.eventsFlag(cmd)
	cmd.AddCommand(newServeKey(a))
	return cmd
}

func (o *serveFlags) flags(cmd *cobra.Command) {
	o.deviceFlags.flags(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&o.models, "model", nil, "`MODEL` to use: its directory, or its CID; may be given more than once (default: with --local all of the home's, else all that miners serve)")
	f.BoolVar(&o.int8, "int8", false, int8Usage)
	f.BoolVar(&o.shortlist, "shortlist", false, "choose words from the shortlist of a model that has one: faster, nearly the same text")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`HOST:PORT` to listen at")
	f.StringVar(&o.cert, "cert", "", "PEM `FILE` of the certificate, for TLS (default: no TLS)")
	f.StringVar(&o.key, "tls-key", "", "PEM `FILE` of the certificate's key (default: no TLS)")
	f.StringVar(&o.keys, "keys", "", "`FILE` of API keys (default: keys.json in the home's gateway directory)")
	f.BoolVar(&o.open, "open", false, "serve everybody who reaches the address, with or without a key")
	f.StringArrayVar(&o.origins, "origin", nil, "web `SITE` whose pages may ask, such as https://example.org; * is every site; may be given more than once (default: none but this gateway's own)")
	f.StringVar(&o.url, "url", "", "`URL` under which clients reach the gateway, for links to documents (default: the one they asked)")
	o.budget, o.price = protocol.Coin/2, client.DefaultPrice
	f.Var(&o.budget, "budget", "most `ALIA` to pay for a request; one that may cost more is refused; 0 asks for unpaid work")
	f.Var(&o.price, "price-max", "most `ALIA` to pay for a GFLOP of work, which is 10^9 operations")
	f.Var(&o.month, "amount", "most `ALIA` to pay to miners in a month for all clients without a key together; 0 is no limit (default: 10 with --open, and else no limit)")
	f.StringSliceVar(&o.holders, "holder", nil, "`ADDRESSES` (multiaddresses) of peers that hold the models, separated by commas (default: the network is searched)")
	f.IntVar(&o.requests, "requests", 0, "`NUMBER` of requests a minute for a client without a key; 0 is no limit")
	f.IntVar(&o.work, "jobs", 2, "`NUMBER` of documents that are translated at a time")
	o.document, o.disk = 30_000_000, 2_000_000_000
	f.Var(&o.document, "max-document", "largest document that is taken")
	f.Var(&o.disk, "disk", "space for documents")
	f.BoolVar(&o.noMemory, "no-memory", false, "look nothing up in the translation memory, and keep nothing there")
	f.StringVar(&o.licence, "suggest-licence", "", "let people correct translations, in the page or by the APIs, under this `LICENCE` unless they choose another: "+strings.Join(protocol.Licences(), ", ")+" (default: nobody can)")
	f.DurationVar(&o.keep, "keep", time.Hour, "`TIME` that a document is kept after its translation")
}

// openAmount is what a gateway pays in a month for clients that nobody knows, unless its
// operator gives another amount.
const openAmount = 10 * protocol.Coin

// local is the engine of this process.
func (o *serveFlags) local(a *app) (engine.Engine, error) {
	c := engine.LocalConfig{Int8: o.int8, Shortlist: o.shortlist}
	if len(o.models) == 0 {
		c.Below = a.home.Models()
	}
	for _, m := range o.models {
		dir, err := a.modelDir(m)
		if err != nil {
			return nil, err
		}
		c.Dirs = append(c.Dirs, dir)
	}
	var err error
	if c.Device, err = o.deviceFlags.open(a); err != nil {
		return nil, err
	}
	return engine.NewLocal(c), nil
}

// network serves what the miners of the home's network compute. The home's account pays
// them, and takes back what is left of the escrows.
func (o *serveFlags) network(ctx context.Context, a *app) error {
	if o.budget > 0 && o.price == 0 {
		return usagef("--price-max 0: give a price above 0, or --budget 0 to ask for unpaid work")
	}
	e := &engine.Network{Holders: o.holders}
	for _, m := range o.models {
		link, err := block.ParseLink(m)
		if err != nil {
			return usagef("--model %q: miners need the CID of a model that their network holds; a directory goes with --local", m)
		}
		e.Named = append(e.Named, link)
	}
	peer, err := a.host.join(ctx, a, nil, nil)
	if err != nil {
		return err
	}
	a.note("network %s (%s), account %s", peer.Network.Name, peer.Net.Short(), peer.Account().String())
	e.Client = &client.Client{Peer: peer, Report: a.event}
	v, err := a.views(ctx, false)
	if err == nil {
		err = node.Together(ctx, func(ctx context.Context) error { return serve(ctx, a, o, e, v) }, e.Client.Tend)
	}
	return errors.Join(err, e.Client.Close())
}

// keyFile is the file of the API keys.
func (o *serveFlags) keyFile(a *app) string {
	if o.keys != "" {
		return a.path(o.keys)
	}
	return a.home.GatewayKeys()
}

// served is what alia serve --json prints once it answers.
type served struct {
	Role   string        `json:"role"`
	URL    string        `json:"url"`
	Keys   bool          `json:"keys"` // a key is needed
	Models []servedModel `json:"models"`
}

type servedModel struct {
	Model  string `json:"model"`
	Source string `json:"source"`
	Target string `json:"target"`
}

// serve runs the gateway.
func serve(ctx context.Context, a *app, o *serveFlags, e engine.Engine, v *views.Viewer) (err error) {
	if (o.cert == "") != (o.key == "") {
		return usagef("--cert and --tls-key go together: TLS needs both")
	}
	if o.requests < 0 || o.work < 1 || o.keep <= 0 {
		return usagef("--requests takes 0 or more, --jobs 1 or more, and --keep a time above 0")
	}
	models, err := e.Models(ctx)
	if err != nil {
		return err
	}
	if _, here := e.(*engine.Local); here && len(models) == 0 {
		return fmt.Errorf("no model in %s: name one with --model DIR", a.home.Models())
	}
	if err := a.home.Make(); err != nil {
		return err
	}
	token, err := gatewayToken(a.home)
	if err != nil {
		return err
	}
	c := gateway.Config{
		Views: v, Shows: shown(v), Token: token,
		Engine: e, Dir: a.home.Gateway(), Keys: o.keyFile(a), Open: o.open, Budget: uint64(o.budget), Price: uint64(o.price),
		Pages: web.Files, Origins: o.origins, URL: o.url, Version: version, Log: a.log,
		Limits: gateway.Limits{Document: int64(o.document), Disk: int64(o.disk), Keep: o.keep, Requests: o.requests, Work: o.work, Amount: uint64(o.month)},
	}
	if !o.noMemory {
		if c.Memory, err = a.openMemory(); err != nil {
			return err
		}
		defer c.Memory.Close()
	}
	if l, here := e.(*engine.Local); here {
		c.Arithmetic = l.Arithmetic
		// Receipts of a network can be checked here, if this home knows one.
		if n, err := a.openNetwork(); err == nil {
			c.Receipts = proof.Shelf{Network: n}
		}
	} else if n, there := e.(*engine.Network); there {
		c.Receipts = proof.Shelf{Dir: a.home.Receipts(), Network: n.Client.Peer.Network}
	}
	var may []string // do from the page, with the token
	if v.Alone == "" {
		may = append(may, "pause the miner")
	}
	if o.licence != "" {
		may = append(may, "approve corrections")
	}
	if len(may) > 0 {
		a.note("who has the token in %s may %s from the page", a.home.GatewayToken(), strings.Join(may, " and "))
	}
	if o.licence != "" {
		if !slices.Contains(protocol.Licences(), o.licence) {
			return usagef("--suggest-licence %q: give one of %s", o.licence, strings.Join(protocol.Licences(), ", "))
		}
		if c.SuggestLicence = o.licence; c.Memory == nil {
			return usagef("--suggest-licence goes without --no-memory: the memory has what is corrected")
		}
		return a.withCorrections(ctx, true, func(p *corrections.Pool) error {
			c.Corrections, p.Memory = p, c.Memory // what is approved is used at once
			return o.answer(ctx, a, e, models, c)
		})
	}
	return o.answer(ctx, a, e, models, c)
}

// answer runs the gateway of a configuration.
func (o *serveFlags) answer(ctx context.Context, a *app, e engine.Engine, models []engine.Model, c gateway.Config) (err error) {
	g, err := gateway.Open(c)
	if err != nil {
		return err
	}
	defer func() {
		if e := g.Close(); err == nil {
			err = e
		}
	}()
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("--listen %s: %w", o.listen, err)
	}
	defer l.Close()
	scheme := "http"
	if o.cert != "" {
		c := &gateway.Certificate{Cert: a.path(o.cert), Key: a.path(o.key)}
		config, err := c.Config()
		if err != nil {
			return err
		}
		l, scheme = tls.NewListener(l, config), "https"
	}
	if err := g.Check(l.Addr()); err != nil {
		return err
	}
	r := served{Role: "gateway", URL: scheme + "://" + l.Addr().String(), Keys: g.KeyNeeded()}
	for _, m := range models {
		a.note("%s to %s: model %s", m.Source, m.Target, m.Link)
		r.Models = append(r.Models, servedModel{m.Link.String(), m.Source, m.Target})
	}
	a.note("%s answers, and is a page for a browser; Ctrl-C ends", r.URL)
	if a.json && !a.events {
		if err := a.result(r, nil); err != nil {
			return err
		}
	}
	return g.Run(ctx, l)
}

// newServeKey are the commands for API keys.
func newServeKey(a *app) *cobra.Command {
	var o serveFlags
	keyFlag := func(cmd *cobra.Command) *cobra.Command {
		cmd.Flags().StringVar(&o.keys, "keys", "", "`FILE` of API keys (default: keys.json in the home's gateway directory)")
		return cmd
	}
	var k gateway.APIKey
	var most amount
	add := keyFlag(&cobra.Command{
		Use: "add NAME", Short: "Make a key, and print it once", Args: exactArgs("NAME"),
		Long: "Make a key, and print it once: the file has only its hash. A gateway that runs\ntakes the key at once. Clients send it as DeepL and LibreTranslate have it, or\nas Authorization: Bearer KEY.",
		RunE: func(_ *cobra.Command, args []string) error {
			if err := a.home.Make(); err != nil {
				return err
			}
			k.Name, k.Created, k.Amount = args[0], time.Now().UTC().Truncate(time.Second), uint64(most)
			secret, added, err := gateway.AddKey(o.keyFile(a), k)
			if err != nil {
				return err
			}
			return a.result(struct {
				Key string `json:"key"`
				ID  string `json:"id"`
			}{secret, added.ID}, func(w io.Writer) { fmt.Fprintln(w, secret) })
		},
	})
	f := add.Flags()
	f.IntVar(&k.Requests, "requests", 0, "`NUMBER` of requests a minute; 0 is no limit")
	f.Int64Var(&k.Characters, "characters", 0, "`NUMBER` of characters a month; 0 is no limit")
	f.Var(&most, "amount", "most `ALIA` to pay to miners in a month; 0 is no limit")
	list := keyFlag(&cobra.Command{
		Use: "list", Short: "Print the keys and their limits", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			keys, err := gateway.ReadKeys(o.keyFile(a))
			if err != nil {
				return err
			}
			return a.result(map[string][]gateway.APIKey{"keys": append([]gateway.APIKey{}, keys...)}, func(w io.Writer) { listKeys(w, keys) })
		},
	})
	remove := keyFlag(&cobra.Command{
		Use: "remove NAME", Short: "Remove a key, by its name or ID", Args: exactArgs("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := gateway.RemoveKey(o.keyFile(a), args[0]); err != nil {
				return err
			}
			return a.result(struct {
				Removed string `json:"removed"`
			}{args[0]}, func(w io.Writer) { fmt.Fprintf(w, "the key %s is removed\n", args[0]) })
		},
	})
	return group(&cobra.Command{Use: "key", Short: "Make, list and remove API keys"}, add, list, remove)
}

// listKeys prints keys for people.
func listKeys(w io.Writer, keys []gateway.APIKey) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer t.Flush()
	limit := func(n int64, unit string) string {
		if n == 0 {
			return "no limit of " + unit
		}
		return fmt.Sprintf("%d %s", n, unit)
	}
	for _, k := range keys {
		alia := "no limit of ALIA a month"
		if k.Amount > 0 {
			alia = protocol.FormatAmount(k.Amount) + " ALIA a month"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, limit(int64(k.Requests), "requests a minute"), limit(k.Characters, "characters a month"), alia)
	}
}
