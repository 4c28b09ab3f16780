// Corrections: a person writes a better translation, and other persons say whether it is one.
import { html, useEffect, useState } from './vendor/preact.js';
import { alia, ask, count, Failure, key, State, Token, token } from './ui.js';

// Suggest lists the segments of a finished job, each with a box for a better translation.
// told is called when a correction is recorded.
export function Suggest({ id, licence, told }) {
  const [open, setOpen] = useState(false);
  return html`<details class="suggest" onToggle=${(e) => setOpen(e.currentTarget.open)}><summary>Suggest a better translation</summary>
    ${open ? html`<${Segments} id=${id} licence=${licence} told=${told} />` : null}</details>`;
}

function Segments({ id, licence, told }) {
  const [list, setList] = useState(null); // the segments so far
  const [find, setFind] = useState('');
  const [budget, setBudget] = useState(null);
  const [under, setUnder] = useState(licence);
  const [account, setAccount] = useState(localStorage.getItem('payee') || '');
  const [error, setError] = useState('');
  const load = async (from, what) => {
    setError('');
    try {
      const got = await ask(`/api/jobs/${id}/segments?from=${from}&find=${encodeURIComponent(what)}`);
      setList((l) => (from && l ? { ...got, segments: [...l.segments, ...got.segments] } : got));
    } catch (e) { setError(e.message); }
  };
  useEffect(() => {
    load(0, '');
    ask('/api/corrections?state=proposed').then((c) => setBudget(c.budget)).catch((e) => setError(e.message));
  }, [id]);
  const payee = (a) => { setAccount(a); if (a.trim()) localStorage.setItem('payee', a.trim()); else localStorage.removeItem('payee'); };
  if (!list || !budget) return error ? html`<${Failure} text=${error} />` : html`<p class="muted" role="status">Reading the document…</p>`;
  return html`
    <p class="small">Change a translation and send it. It is used from its approval on, and models learn from it. The original, your translation and its licence are then published, and cannot be taken back:
      send nothing that must stay secret.</p>
    <div class="bar">
      <label class="field">Licence of what you write
        <select name="licence" value=${under} onChange=${(e) => setUnder(e.target.value)}>${budget.licences.map((l) => html`<option value=${l}>${l}</option>`)}</select></label>
      ${budget.budget ? html`<label class="field grow">Account to be paid (optional)
        <input name="account" type="text" placeholder="alia1…" autocomplete="off" spellcheck="false" value=${account} onInput=${(e) => payee(e.target.value)} /></label>` : null}
    </div>
    <p class="small muted">${terms(budget)}</p>
    <form class="bar" onSubmit=${(e) => { e.preventDefault(); load(0, find); }}>
      <label class="field grow">Find a sentence<input name="find" type="text" autocomplete="off" value=${find} onInput=${(e) => setFind(e.target.value)} /></label>
      <button>Find</button>
    </form>
    <${Failure} text=${error} />
    <p class="small muted" role="status">${list.all ? `${list.segments.length} of ${count(list.all, 'text')}. Parts of a sentence, such as the words of a link, stand after it.` : 'No text is found.'}</p>
    <ul class="jobs">${list.segments.map((s) => html`<${Segment} key=${s.source} s=${s} of=${list} licence=${under} account=${budget.budget ? account.trim() : ''} budget=${budget} told=${told} />`)}</ul>
    ${list.segments.length < list.all ? html`<p><button onClick=${() => load(list.segments.length, find)}>Show more</button></p>` : null}`;
}

// terms says what a correction is paid.
function terms(b) {
  if (!b.budget) return 'This gateway pays nothing for corrections now.';
  const who = b.rules ? 'The quality rules of the gateway, or ' : '';
  return `Pay: ${alia(b.per_correction)} and ${alia(b.per_character)} for each character of the original; ${alia(b.left)} of the budget are left. ${who}${count(b.votes, 'person')} other than you must approve.`
    .replace('1 person other', 'one person other');
}

function Segment({ s, of, licence, account, budget, told }) {
  const [human, setHuman] = useState(s.machine);
  const [sent, setSent] = useState(null);
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  const text = human.replace(/\s*\n\s*/g, ' ').trim(); // a correction is one line
  const changed = human !== s.machine && text && text !== s.machine;
  const send = async (e) => {
    e.preventDefault();
    setError(''); setBusy(true);
    try {
      setSent(await ask('/api/corrections', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({
        from: of.from, to: of.to, source: s.source, machine: s.machine, model: s.model || '', how: s.how || '', human: text, licence, account,
      }) }));
      told();
    } catch (x) { setError(x.message); }
    setBusy(false);
  };
  return html`<li><form class="segment" onSubmit=${send}>
    <div dir="auto" lang=${of.from}>${s.source}</div>
    <textarea class="box" rows=${Math.min(8, 1 + Math.floor(s.machine.length / 32))} dir="auto" lang=${of.to} aria-label=${'translation of ' + s.source} value=${human} readonly=${!!sent}
      onInput=${(e) => setHuman(e.target.value)} onKeyDown=${(e) => { if (e.key === 'Enter' && (e.ctrlKey || e.metaKey) && changed && !sent && !busy) send(e); }}></textarea>
    <${Failure} text=${error} />
    ${sent ? html`<p class="small" role="status"><${State} state=${sent.state} /> ${fate(sent, account, budget)}</p>`
      : changed ? html`<div class="bar"><button class="primary" disabled=${busy}>Send under ${licence}</button><button type="button" onClick=${() => { setHuman(s.machine); setError(''); }}>Undo</button></div>`
        : s.model ? null : html`<p class="small muted">A person has written this translation.</p>`}
  </form></li>`;
}

// fate says what has become of a correction that was sent, and what happens next.
function fate(c, account, b) {
  if (c.state === 'rejected') return `Recorded, and rejected: ${c.reason}.`;
  if (c.state === 'approved') return `Recorded, and approved by ${c.by}. The gateway uses it from now on. ${pay(c)}`;
  const price = b.budget ? b.per_correction + b.per_character * [...c.source].length : 0;
  const then = !b.budget ? 'Nothing is paid for it: the gateway has no budget for corrections.'
    : !account ? 'Nobody is paid for it: you have named no account.'
      : price > b.left ? 'The budget is spent: nothing is paid, unless the gateway publishes another.'
        : `Then ${alia(price)} are set aside for your account, if the budget still has them.`;
  return `Recorded. It waits for ${b.votes > 1 ? count(b.votes, 'other person') : 'another person'} to approve it (${c.reason}). ${then}`;
}

const pay = (c) => (c.paid ? `${alia(c.due)} were paid.` : c.due ? `${alia(c.due)} are set aside: who runs the gateway sends them.` : c.note ? `It is not paid: ${c.note}.` : '');

// Corrections lists what people have corrected. Those that wait can be approved or rejected.
export function Corrections({ stamp }) {
  const [state, setState] = useState('proposed');
  const [list, setList] = useState(null);
  const [error, setError] = useState('');
  const [open, setOpen] = useState(false);
  const load = async (from = 0) => {
    setError('');
    try {
      const got = await ask(`/api/corrections?state=${state}&from=${from}`);
      setList((l) => (from && l ? { ...got, corrections: [...l.corrections, ...got.corrections] } : got));
    } catch (e) { setError(e.message); }
  };
  useEffect(() => { if (open) load(); }, [stamp, state, open]);
  return html`
    <details id="corrections" class="panel" onToggle=${(e) => setOpen(e.currentTarget.open)}><summary>Corrections by people</summary>
      <div class="bar">
        <label class="field">Show
          <select id="corrections-state" value=${state} onChange=${(e) => setState(e.target.value)}>
            <option value="proposed">waiting</option><option value="approved">approved</option><option value="rejected">rejected</option><option value="">all</option>
          </select></label>
        <button onClick=${() => load()}>Look again</button>
      </div>
      ${key.get() ? null : html`<p class="small muted">To approve or reject needs an API key, or the gateway’s token: so it is known that another person does.</p><${Token} />`}
      <${Failure} text=${error} />
      ${list ? html`
        <p class="small muted" role="status">${list.all ? `${list.corrections.length} of ${count(list.all, 'correction')}, the newest first` : 'There are none.'}</p>
        <ul class="jobs">${list.corrections.map((c) => html`<${Correction} key=${c.id} c=${c} votes=${list.budget.votes || 1} />`)}</ul>
        ${list.corrections.length < list.all ? html`<p><button onClick=${() => load(list.corrections.length)}>Show more</button></p>` : null}` : null}
    </details>`;
}

function Correction({ c: first, votes }) {
  const [c, setC] = useState(first);
  const [reason, setReason] = useState('');
  const [error, setError] = useState('');
  const vote = async (approve) => {
    setError('');
    try {
      setC(await ask(`/api/corrections/${c.id}/approve`, {
        method: 'POST', bearer: key.get() || token.get(), headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ approve, reason: reason.trim() }),
      }));
    } catch (e) { setError(e.message); }
  };
  const [from, to] = [c.from, c.to];
  return html`
    <li data-state=${c.state} class="correction">
      <dl class="grows">
        <dt>original</dt><dd dir="auto" lang=${from}>${c.source}</dd>
        <dt>before</dt><dd dir="auto" lang=${to}>${c.machine || '–'}</dd>
        <dt>corrected</dt><dd dir="auto" lang=${to}><b>${c.human}</b></dd>
      </dl>
      <p class="small muted"><${State} state=${c.state} /> ${c.by ? `by ${c.by}. ` : ''}${c.reason ? c.reason + '. ' : ''}From ${from} to ${to}, by ${c.author}, ${c.licence}, ${new Date(c.time).toLocaleString()}. ${c.state === 'approved' ? pay(c) : ''}
        ${c.state === 'proposed' && c.votes.length ? `${c.votes.filter((v) => v.approve).length} of ${count(votes, 'vote')} for it.` : ''}</p>
      <${Failure} text=${error} />
      ${c.state === 'proposed' ? html`<div class="bar">
        <button class="primary" onClick=${() => vote(true)}>Approve</button>
        <label class="field grow">Why not (needed to reject)<input type="text" autocomplete="off" value=${reason} onInput=${(e) => setReason(e.target.value)} /></label>
        <button disabled=${!reason.trim()} onClick=${() => vote(false)}>Reject</button>
      </div>` : null}
    </li>`;
}
