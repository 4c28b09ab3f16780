// The view of nodes: what runs, what the miners do and why not more, what they earn.
import { html, useState } from './vendor/preact.js';
import { alia, ask, Cid, count, Failure, Nothing, State, Token, token, usePoll } from './ui.js';

export function Node() {
  const { data, error, status, put } = usePoll('/api/node', 2000);
  const [answer, setAnswer] = useState(null);
  if (!data) return html`<${Nothing} error=${error} status=${status} wait="Asking the node…" />`;
  const nodes = data.nodes;
  const miners = nodes.filter((n) => n.miner);
  const steer = async (name, action) => {
    try {
      put(await ask(`/api/node/${action}?name=${encodeURIComponent(name)}`, { method: 'POST', bearer: token.get() }));
      setAnswer({ name, text: '' });
    } catch (e) { setAnswer({ name, text: e.message }); }
  };
  return html`
    <h1>${nodes.length === 1 ? 'This node' : `A swarm of ${count(nodes.length, 'node')}`}</h1>
    <${Failure} text=${error} />
    ${nodes.length > 1 ? html`<${Overview} nodes=${nodes} />` : nodes.map((n) => html`<${One} n=${n} />`)}
    ${data.steers && miners.length ? html`<details class="panel"><summary>Pause or finish a miner</summary><${Token} /></details>` : null}
    ${miners.map((n) => html`<${Miner} key=${n.name} n=${n} steers=${data.steers} steer=${steer} answer=${answer && answer.name === n.name ? answer.text : ''} />`)}
    ${nodes.length === 1 && !miners.length ? html`<${NoMiner} why=${nodes[0].miner_reason} />` : null}
    ${data.notes.length ? html`
      <section><h2>What has happened</h2>
        <ol class="notes small">${data.notes.slice(0, 40).map((t) => html`<li>${t}</li>`)}</ol>
      </section>` : null}`;
}

function Overview({ nodes }) {
  return html`
    <section>
      <div class="scroll" tabindex="0" role="region" aria-label="nodes"><table>
        <thead><tr><th>Node</th><th>State</th><th class="n">Earned by work</th><th class="n">Free to spend</th><th class="n">Peers</th><th>Account</th></tr></thead>
        <tbody>${nodes.map((n) => html`<tr>
          <th scope="row">${n.name}</th>
          <td class="wide">${n.state !== 'running' ? html`<${State} state=${n.state} why=${n.reason} />`
            : n.miner ? html`<${State} state=${n.miner.state} why=${n.miner.reason.text} />`
              : html`<${State} state="running" why=${n.commands.join(', ')} />`}</td>
          <td class="n">${alia(n.earned, 4)}</td><td class="n">${alia(n.balance, 4)}</td><td class="n">${n.peers}</td>
          <td><${Cid} value=${n.account} /></td></tr>`)}
        </tbody></table></div>
    </section>`;
}

function One({ n }) {
  return html`
    <section><p><${State} state=${n.state} why=${n.reason || 'since ' + new Date(n.since).toLocaleString()} /></p>
      <dl class="figures">
        <div><dt>Earned by work</dt><dd>${alia(n.earned, 4)}</dd></div>
        <div><dt>Free to spend</dt><dd>${alia(n.balance, 4)}</dd></div>
        <div><dt>Peers connected</dt><dd>${n.peers}</dd></div>
        <div><dt>Ledger height</dt><dd>${n.height ? n.height.toLocaleString() : '–'}</dd></div>
        <div><dt>Network</dt><dd>${n.network || '–'}</dd></div>
      </dl>
      ${n.account ? html`<p class="small">Account <${Cid} value=${n.account} /></p>` : null}
      ${n.ledger_reason ? html`<p class="message">The ledger does not answer: ${n.ledger_reason}</p>` : null}
      ${n.commands.length ? html`<p class="small muted">Runs ${n.commands.map((c, i) => html`${i ? ', ' : ''}<code>${c}</code>`)}</p>` : null}
    </section>`;
}

const NoMiner = ({ why }) => html`
  <section><h2>No miner</h2>
    <p>${sentence(why)}</p>
    <p class="muted">A miner computes units of training runs and of documents, and is paid for them. Start one in a terminal: <code>alia miner run</code></p>
  </section>`;

function Miner({ n, steers, steer, answer }) {
  const m = n.miner;
  const task = (unit) => m.tasks.find((t) => t.unit === unit);
  const resting = m.state === 'paused' || m.state === 'finishing';
  return html`
    <section id=${'node-' + n.name} data-state=${m.state}>
      <div class="bar">
        <h2 class="grow">${n.name === 'node' ? 'Miner' : n.name} <${State} state=${m.state} /></h2>
        ${steers ? html`<span>
          <button disabled=${m.state === 'paused'} onClick=${() => steer(n.name, 'pause')}>Pause</button>
          <button disabled=${!resting} onClick=${() => steer(n.name, 'resume')}>Go on</button>
          <button disabled=${m.state === 'finishing'} onClick=${() => steer(n.name, 'finish')}>Finish</button></span>` : null}
      </div>
      <${Failure} text=${answer} />
      ${m.reason.text ? html`<p>${sentence(m.reason.text)}</p>` : null}
      <dl class="figures">
        <div><dt>Paid since it started</dt><dd>${alia(m.earned, 4)}</dd></div>
        <div><dt>Accepted, to be claimed</dt><dd>${count(m.pending, 'unit')}</dd></div>
        <div><dt>Works for</dt><dd>${count(m.sessions, 'publisher')}</dd></div>
      </dl>
      <h3>Devices</h3>
      <div class="scroll" tabindex="0" role="region" aria-label=${'devices of ' + n.name}><table>
        <thead><tr><th>Device</th><th>State</th><th>What it does, or why nothing</th></tr></thead>
        <tbody>${m.devices.map((d) => { const t = task(d.unit); return html`<tr>
          <th scope="row">${d.name}</th><td><${State} state=${d.state} /></td>
          <td class="wide">${t ? html`${kinds[t.kind] || t.kind}, ${Math.round(100 * t.done)} % <progress max="1" value=${t.done} aria-label="computed"></progress>` : sentence(d.reason.text || 'computes a unit')}</td></tr>`; })}
        </tbody></table></div>
      <h3>Units</h3>
      ${m.tasks.length ? html`
        <div class="scroll" tabindex="0" role="region" aria-label=${'units of ' + n.name}><table>
          <thead><tr><th>Kind</th><th class="n">Computed</th><th>Leased until</th><th>Unit</th></tr></thead>
          <tbody>${m.tasks.map((t) => html`<tr><td>${kinds[t.kind] || t.kind}</td><td class="n">${t.done === 1 ? 'waits for the answer' : Math.round(100 * t.done) + ' %'}</td>
            <td>${new Date(t.deadline).toLocaleTimeString()}</td><td><${Cid} value=${t.unit} /></td></tr>`)}</tbody></table></div>`
        : html`<p class="muted">None now.</p>`}
      ${m.passed_over.length ? html`
        <h3>Offers that it passes over</h3>
        <div class="scroll" tabindex="0" role="region" aria-label="offers"><table>
          <thead><tr><th>Why</th><th>Work</th><th>Publisher</th></tr></thead>
          <tbody>${m.passed_over.slice(0, 50).map((p) => html`<tr><td class="wide">${sentence(p.reason.text)}</td><td><${Cid} value=${p.work} /></td><td><${Cid} value=${p.publisher} /></td></tr>`)}</tbody></table></div>` : null}
    </section>`;
}

const kinds = {
  gradient: 'a step of training', steps: 'steps of training', evaluate: 'an evaluation', translate: 'a translation', combine: 'a combination of steps', average: 'an average of models',
};

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');
