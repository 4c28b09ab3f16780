// The view of training runs: their curves, who computed them, and what the model says.
import { html, useState } from './vendor/preact.js';
import { ago, Cid, count, Failure, language, Nothing, number, State, usePoll } from './ui.js';
import { Plot } from './plot.js';

export function Run() {
  const { data, error, status } = usePoll('/api/runs', 5000);
  const [chosen, choose] = useState('');
  if (!data) return html`<${Nothing} error=${error} status=${status} wait="Looking for training runs…" />`;
  if (!data.length) {
    return html`<section><h1>No training run yet</h1>
      <p>A training run makes a translation model out of pairs of sentences. Start one in a terminal:</p>
      <p><code>alia train --local --preset demo</code> trains a small model on this machine in some minutes, and <code>alia swarm</code> tries a whole network.</p>
      <p class="muted">The run appears here after its first round.</p></section>`;
  }
  const run = data.find((r) => r.run === chosen) || data[0];
  return html`
    <div class="bar">
      <h1 class="grow">${run.source ? `${language(run.source)} to ${language(run.target)}` : 'Training run'} <${State} state=${run.state} /></h1>
      ${data.length > 1 ? html`<label class="field">Run
        <select id="run" value=${run.run} onChange=${(e) => choose(e.target.value)}>
          ${data.map((r) => html`<option value=${r.run}>${r.source || '?'}–${r.target || '?'}, ${count(r.rounds, 'round')}, ${r.state} (${r.run.slice(-6)})</option>`)}
        </select></label>` : null}
    </div>
    <${Failure} text=${error} />
    <${Details} key=${run.run} cid=${run.run} />`;
}

function Details({ cid }) {
  const { data, error, status } = usePoll('/api/runs/' + cid, 3000);
  if (!data) return html`<${Nothing} error=${error} status=${status} wait="Reading the run…" />`;
  const run = data.of, points = data.points;
  const last = points[points.length - 1];
  const valid = points.filter((p) => p.valid_nll !== undefined);
  const best = valid[valid.length - 1];
  return html`
    <${Failure} text=${error} />
    ${run.reason ? html`<p class="message">${run.reason}</p>` : null}
    <section>
      <dl class="figures">
        <div><dt>Rounds done</dt><dd>${run.rounds.toLocaleString()}</dd></div>
        <div><dt>Last round</dt><dd>${run.last ? ago(run.last) : '–'}</dd></div>
        <div><dt>Training loss</dt><dd>${last ? last.loss.toFixed(3) : '–'} <small>nats a token</small></dd></div>
        <div><dt>BLEU</dt><dd>${best ? best.bleu.toFixed(1) : '–'} <small>of 100</small></dd></div>
        <div><dt>chrF</dt><dd>${best ? best.chrf.toFixed(1) : '–'} <small>of 100</small></dd></div>
        <div><dt>Speed</dt><dd>${last && last.seconds ? number(last.tokens / last.seconds) : '–'} <small>tokens/s</small></dd></div>
      </dl>
      <p class="small muted">Run <${Cid} value=${run.run} />${run.name && run.name !== 'node' ? `, coordinated by ${run.name}` : ''}</p>
      <p class="small">${run.model ? html`Model <${Cid} value=${run.model} />` : html`<span class="muted">The model gets its name when the run is finished.</span>`}</p>
    </section>
    ${points.length ? html`<div class="two">
      <${Plot} title="Loss" unit="nats a target token, less is better" x=${points.map((p) => p.round)}
        series=${[['training', points.map((p) => p.loss)], ['held-out sentences', points.map((p) => p.valid_nll ?? null)]]} />
      <${Plot} title="Scores" unit="of held-out sentences, of 100" x=${valid.map((p) => p.round)} empty="There are scores after the first validation."
        series=${[['BLEU', valid.map((p) => p.bleu)], ['chrF', valid.map((p) => p.chrf)]]} />
      <${Plot} title="Speed" unit="target tokens a second" x=${points.map((p) => p.round)}
        series=${[['tokens a second', points.map((p) => (p.seconds ? Math.round(p.tokens / p.seconds) : null))]]} />
      <${Contributors} data=${data} />
    </div>` : html`<section><p class="muted">The curves begin after the first round.</p></section>`}
    <${Samples} samples=${data.samples} source=${run.source} target=${run.target} />`;
}

function Contributors({ data }) {
  const all = data.contributors.reduce((n, c) => n + c.gflop, 0);
  return html`
    <section><h2>Who computed it</h2>
      ${data.contributors.length ? html`
        <div class="scroll" tabindex="0" role="region" aria-label="contributors"><table>
          <thead><tr><th>Account</th><th class="n">Units</th><th class="n">TFLOP</th><th class="n">Share</th></tr></thead>
          <tbody>${data.contributors.slice(0, 100).map((c) => html`<tr>
            <th scope="row">${c.account ? html`${c.name ? (c.name === 'node' ? 'this node' : c.name) + ' ' : ''}<${Cid} value=${c.account} />` : 'this machine, without a network'}</th>
            <td class="n">${c.units.toLocaleString()}</td><td class="n">${number(c.gflop / 1000)}</td>
            <td class="n">${(100 * c.gflop / (all || 1)).toFixed(1)} %<progress max=${all || 1} value=${c.gflop} aria-hidden="true"></progress></td></tr>`)}</tbody>
        </table></div>` : html`<p class="muted">Nobody yet.</p>`}
      ${data.counted && data.counted < 0.9 * data.of.rounds ? html`<p class="small muted">Counted in the newest ${count(data.counted, 'round')} that are on the disk.</p>` : null}
    </section>`;
}

// spread is at most n items of a list, the first and the last among them.
const spread = (list, n) => (list.length <= n ? list : Array.from({ length: n }, (_, i) => list[Math.round(i * (list.length - 1) / (n - 1))]));

function Samples({ samples, source, target }) {
  if (!samples.length) return html`<section><h2>What the model says</h2><p class="muted">After each validation some held-out sentences stand here, as the model then translates them.</p></section>`;
  const rounds = spread(samples, 6);
  return html`
    <section id="samples"><h2>What the model says</h2>
      <p class="small muted">The same held-out sentences, as the model translated them after more and more rounds.</p>
      ${rounds[rounds.length - 1].texts.map((t, i) => html`
        <h3 lang=${source} dir="auto">${t.source}</h3>
        <dl class="grows">
          ${rounds.filter((r) => r.texts[i]).map((r) => html`<dt>round ${r.round.toLocaleString()}</dt><dd lang=${target} dir="auto">${r.texts[i].translation || '–'}</dd>`)}
          <dt>a person</dt><dd lang=${target} dir="auto" class="good">${t.reference}</dd>
        </dl>`)}
    </section>`;
}
