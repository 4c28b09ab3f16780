// The page: a header with the views that the gateway has, and the view that the address names after its #.
import { html, render, useEffect, useState } from './vendor/preact.js';
import { Ledger } from './ledger.js';
import { Node } from './node.js';
import { Run } from './run.js';
import { Translate } from './translate.js';
import { ask } from './ui.js';

const views = [
  { name: 'translate', title: 'Translate', view: Translate },
  { name: 'node', title: 'Node', view: Node },
  { name: 'run', title: 'Run', view: Run },
  { name: 'ledger', title: 'Ledger', view: Ledger },
];

const named = (list) => list.find((v) => location.hash === '#' + v.name) || list[0];

function App() {
  const [shown, show] = useState(views.slice(0, 1)); // those that the gateway has
  const [at, go] = useState(named(shown));
  useEffect(() => {
    ask('/api/status').then((s) => show(views.filter((v, i) => i === 0 || s.views.includes(v.name)))).catch(() => { /* the view says so */ });
  }, []);
  useEffect(() => {
    const moved = () => go(named(shown));
    moved();
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, [shown]);
  useEffect(() => { document.title = 'ALIA – ' + at.title.toLowerCase(); }, [at]);
  return html`
    <header>
      <a class="name" href="#translate">ALIA</a>
      <nav aria-label="views">
        ${shown.map((v) => html`<a href=${'#' + v.name} aria-current=${v === at ? 'page' : undefined}>${v.title}</a>`)}
      </nav>
    </header>
    <main><${at.view} /></main>`;
}

render(html`<${App} />`, document.getElementById('app'));
