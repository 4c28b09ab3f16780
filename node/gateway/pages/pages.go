// Package pages is the web page of the gateway: its files, as they are served.
//
// There is no build step. index.html loads app.js, which has the views: translate.js with
// corrections.js is for customers; node.js, run.js with plot.js, and ledger.js are for everybody else. ui.js is
// what the views share. vendor has Preact with htm, which makes the
// page's elements, and uPlot, which draws curves; VENDOR.md says where they come from.
package pages

import "embed"

// Files are the files of the page.
//
//go:embed *.html *.js *.css vendor
var Files embed.FS
