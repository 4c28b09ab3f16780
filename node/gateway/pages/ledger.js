// The view of the ledger: how much there is, who keeps it, what it pays for.
import { html, useState } from './vendor/preact.js';
import { ago, alia, ask, Cid, count, Failure, language, Nothing, number, State, usePoll } from './ui.js';

export function Ledger() {
  const { data, error, status } = usePoll('/api/ledger', 2000);
  if (!data) return html`<${Nothing} error=${error} status=${status} wait="Asking the ledger…" />`;
  const s = data.supply, r = data.rates;
  const open = data.validators.votes;
  return html`
    <h1>Ledger of network ${data.network}</h1>
    <${Failure} text=${error} />
    <section>
      <dl class="figures">
        <div><dt>Height</dt><dd id="height">${data.height.toLocaleString()}</dd></div>
        <div><dt>This height was made</dt><dd>${ago(data.time)}</dd></div>
        <div><dt>Supply</dt><dd>${alia(s.supply, 4)}</dd></div>
        <div><dt>Minted for work</dt><dd>${alia(s.minted, 4)}</dd></div>
        <div><dt>Claimed, to be minted</dt><dd>${alia(s.owed, 4)}</dd></div>
        <div><dt>Burned</dt><dd>${alia(s.burned, 4)}</dd></div>
      </dl>
      <p class="small muted">A height is a page of the ledger. All figures came with proofs, which this gateway has checked.</p>
    </section>
    <div class="two">
      <section><h2>Where the ALIA are</h2>
        <div class="scroll" tabindex="0" role="region" aria-label="supply"><table><tbody>
          ${[['free in accounts', s.accounts], ['locked by their owners', s.locked], ['in escrow for translations', s.escrowed], ['bonds of coordinators', s.bonds], ['set aside for audits', s.pool]]
            .map(([what, amount]) => html`<tr><th scope="row">${what}</th><td class="n">${alia(amount)}</td></tr>`)}
          <tr><th scope="row"><b>in all</b></th><td class="n"><b>${alia(s.sum_of_balances)}</b></td></tr>
        </tbody></table></div>
        ${s.sum_of_balances !== s.supply ? html`<p class="message">The ledger does not add up: the supply is ${alia(s.supply)}.</p>` : null}
      </section>
      <section><h2>What work pays</h2>
        ${r ? html`<div class="scroll" tabindex="0" role="region" aria-label="rates"><table><tbody>
          <tr><th scope="row">a TFLOP of training</th><td class="n">${alia(Math.floor(r.training / 1000))}</td></tr>
          <tr><th scope="row">bonus for a TFLOP of translation, at most</th><td class="n">${alia(Math.floor(r.translation / 1000))}</td></tr>
          <tr><th scope="row">a height aims to mint</th><td class="n">${alia(r.budget)}</td></tr>
          <tr><th scope="row">a height can mint at most</th><td class="n">${alia(r.cap)}</td></tr>
        </tbody></table></div>
        <p class="small muted">A TFLOP is 10¹² operations. The rates follow the work: when more is done, each piece pays less.</p>` : html`<p class="muted">The rates appear after the first heights.</p>`}
      </section>
    </div>
    <section><h2>Runs</h2>
      ${data.runs.length ? html`<div class="scroll" tabindex="0" role="region" aria-label="runs"><table>
        <thead><tr><th>Run</th><th>State</th><th class="n">Rounds paid</th><th class="n">claimed</th><th class="n">planned</th><th class="n">Cost, TFLOP</th><th>Coordinator</th></tr></thead>
        <tbody>${data.runs.map((x) => html`<tr><td><${Cid} value=${x.run} /></td><td><${State} state=${x.status} /></td><td class="n">${x.paid.toLocaleString()}</td><td class="n">${x.claimed.toLocaleString()}</td>
          <td class="n">${x.rounds.toLocaleString()}</td><td class="n">${number(x.cost_mflop / 1e6)}</td><td><${Cid} value=${x.coordinator} /></td></tr>`)}</tbody></table></div>`
        : html`<p class="muted">The ledger has no run of this node now. It has a run from its proposal until some heights after its end.</p>`}
    </section>
    <${Models} />
    <${Account} />
    <section><h2>${count(data.validators.validators.length, 'validator')}</h2>
      <p class="small muted">Validators make the heights. More than two thirds of them decide.</p>
      <ul class="plain">${data.validators.validators.map((v) => html`<li><${Cid} value=${v} /></li>`)}</ul>
      ${open.length ? html`<h3>Open votes</h3><ul class="plain">${open.map((v) => html`<li>${v.admit ? 'admit' : 'expel'} <${Cid} value=${v.account} />: ${v.yes.length} of ${v.needed} votes needed, until height ${v.expires_height.toLocaleString()}</li>`)}</ul>` : null}
      ${data.validators.left.length ? html`<h3>Have left</h3><ul class="plain">${data.validators.left.map((v) => html`<li><${Cid} value=${v.account} /></li>`)}</ul>` : null}
    </section>`;
}

function Models() {
  const { data } = usePoll('/api/models', 10000);
  return html`
    <section><h2>Models</h2>
      ${data && data.length ? html`<div class="scroll" tabindex="0" role="region" aria-label="models"><table>
        <thead><tr><th>Languages</th><th class="n">chrF</th><th class="n">Price of a GFLOP</th><th>Model</th></tr></thead>
        <tbody>${data.map((m) => html`<tr><th scope="row">${language(m.from)} to ${language(m.to)}</th><td class="n">${m.chrf ? m.chrf.toFixed(1) : '–'}</td>
          <td class="n">${m.price ? alia(m.price) : 'free here'}</td><td><${Cid} value=${m.model} /></td></tr>`)}</tbody></table></div>`
        : html`<p class="muted">${data ? 'No model can be asked now. A run that is finished leaves one.' : 'Looking for models…'}</p>`}
    </section>`;
}

function Account() {
  const [name, set] = useState('');
  const [found, setFound] = useState(null);
  const [error, setError] = useState('');
  const look = async (e) => {
    e.preventDefault();
    setError(''); setFound(null);
    try { setFound((await ask('/api/ledger?account=' + encodeURIComponent(name.trim()))).account); } catch (x) { setError(x.message); }
  };
  return html`
    <section><h2>Look up an account</h2>
      <form class="bar" onSubmit=${look}>
        <label class="field grow">Account<input id="account" type="text" placeholder="alia1…" autocomplete="off" spellcheck="false" value=${name} onInput=${(e) => set(e.target.value)} /></label>
        <button disabled=${!name.trim()}>Look up</button>
      </form>
      <${Failure} text=${error} />
      ${found ? html`<dl class="figures" id="found" role="status">
        <div><dt>Free to spend</dt><dd>${alia(found.balance)}</dd></div>
        <div><dt>Locked</dt><dd>${alia(found.locked)}</dd></div>
        <div><dt>Earned by work</dt><dd>${alia(found.earned)}</dd></div>
        <div><dt>Transactions sent</dt><dd>${found.nonce.toLocaleString()}</dd></div>
      </dl>` : null}
    </section>`;
}
