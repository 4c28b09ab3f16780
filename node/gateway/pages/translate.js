// The view for customers: a text or documents in, translations out.
import { html, useEffect, useMemo, useRef, useState } from './vendor/preact.js';
import { Corrections, Suggest } from './corrections.js';
import { alia, ask, count, duration, Failure, key, language } from './ui.js';

// The jobs of this browser, newest first: only their names are kept, the gateway has the
// rest for as long as it says.
const kept = {
  get() { try { return JSON.parse(localStorage.getItem('jobs') || '[]'); } catch { return []; } },
  set(ids) { localStorage.setItem('jobs', JSON.stringify(ids.slice(0, 50))); },
};

export function Translate() {
  const [models, setModels] = useState(null);
  const [status, setStatus] = useState(null);
  const [error, setError] = useState('');
  const [from, setFrom] = useState('auto');
  const [to, setTo] = useState(localStorage.getItem('to') || '');
  const [jobs, setJobs] = useState(kept.get);
  const [told, tell] = useState(0); // corrections that were sent from here
  useEffect(() => {
    Promise.all([ask('/api/status'), ask('/api/models')])
      .then(([s, m]) => { setStatus(s); setModels(m); })
      .catch((e) => setError(e.message));
  }, []);
  const targets = useMemo(() => distinct((models || []).filter((m) => from === 'auto' || m.from === from).map((m) => m.to)), [models, from]);
  const sources = useMemo(() => distinct((models || []).map((m) => m.from)), [models]);
  useEffect(() => { if (targets.length && !targets.includes(to)) setTo(targets[0]); }, [targets]);
  useEffect(() => { if (to) localStorage.setItem('to', to); }, [to]);
  kept.set(jobs); // now, not in an effect: the tab may be closed the next moment

  // start makes a job of a text or a file.
  const start = async (what) => {
    const form = new FormData();
    if (what instanceof File) form.append('file', what, what.name); else form.append('text', what);
    form.append('from', from);
    form.append('to', to);
    return ask('/api/jobs', { method: 'POST', body: form });
  };
  const send = async (files) => {
    setError('');
    for (const f of files) {
      try {
        if (status && f.size > status.max_document) throw new Error(`It is larger than ${megabytes(status.max_document)} MB.`);
        const job = await start(f);
        setJobs((ids) => [job.id, ...ids]);
      } catch (e) {
        setError(`${f.name}: ${e.message}`);
      }
    }
  };
  const licence = status && status.suggest_licence;
  // What follows a translation: a box for a better one, where the gateway takes any.
  const suggest = (id) => (licence ? html`<${Suggest} key=${id} id=${id} licence=${licence} told=${() => tell((n) => n + 1)} />` : null);
  if (!models && !error) return html`<p class="muted" role="status">Looking for models…</p>`;
  return html`
    <${Failure} text=${error} />
    ${status && status.key_required ? html`<${Key} />` : null}
    ${models && models.length === 0 ? html`<p class="message">No model can be asked now. ${status && status.views.includes('run')
      ? html`A run that is finished leaves one, and the miners then offer it: <a href="#run">see how far it is</a>.`
      : html`With <code>alia serve --local --model DIR</code> the gateway has one of its own.`}</p>` : null}
    <div class="bar">
      <label class="field">From
        <select id="from" value=${from} onChange=${(e) => setFrom(e.target.value)}>
          <option value="auto">Detect language</option>
          ${sources.map((l) => html`<option value=${l}>${language(l)}</option>`)}
        </select>
      </label>
      <label class="field">To
        <select id="to" value=${to} onChange=${(e) => setTo(e.target.value)}>
          ${targets.map((l) => html`<option value=${l}>${language(l)}</option>`)}
        </select>
      </label>
      <span class="grow"></span>
      <${Price} models=${models || []} from=${from} to=${to} status=${status} />
    </div>
    <${TextBox} start=${start} ready=${!!to} to=${to} after=${suggest} />
    <${Drop} send=${send} status=${status} ready=${!!to} />
    ${jobs.length ? html`
      <section aria-label="documents">
        <h2>Documents</h2>
        <ul class="jobs">${jobs.map((id) => html`<${Job} key=${id} id=${id} after=${suggest} forget=${() => setJobs((ids) => ids.filter((x) => x !== id))} />`)}</ul>
      </section>` : null}
    <${Check} />
    ${licence ? html`<${Corrections} stamp=${told} />` : null}`;
}

const megabytes = (bytes) => Math.floor(bytes / 1e6);

const distinct = (list) => [...new Set(list)].sort((a, b) => language(a).localeCompare(language(b)));

// Price says which model will be asked, and who is paid.
function Price({ models, from, to, status }) {
  const m = models.find((m) => (from === 'auto' || m.from === from) && m.to === to);
  if (!m || !status) return null;
  const score = m.chrf > 0 ? `, quality (chrF) ${m.chrf.toFixed(1)} of 100` : '';
  const who = status.local ? 'computed on the gateway’s own machine, free of charge' : `computed by the network’s miners, each of whom reads the part that it translates; the gateway pays at most ${alia(status.budget)} for a job`;
  return html`<p class="small muted">Model ${m.model.slice(0, 12)}…${score}; ${who}.</p>`;
}

function Key() {
  const [value, set] = useState(key.get());
  return html`<form onSubmit=${(e) => e.preventDefault()}><label class="field">API key of this gateway
    <input type="password" autocomplete="off" value=${value} onInput=${(e) => { set(e.target.value); key.set(e.target.value.trim()); }} /></label></form>`;
}

function TextBox({ start, ready, to, after }) {
  const [text, setText] = useState('');
  const [job, setJob] = useState(null);
  const [out, setOut] = useState('');
  const [error, setError] = useState('');
  const [copied, setCopied] = useState(false);
  const [made, setMade] = useState(''); // the job that gave the translation
  const watching = useRef(null);
  const run = async () => {
    if (!text.trim() || !ready) return;
    if (watching.current) watching.current();
    setError(''); setOut(''); setMade(''); setJob({ done: 0, segments: 0 });
    try {
      const made = await start(text);
      watching.current = watch(made.id, async (j, gone) => {
        setJob(j);
        if (gone || j.status === 'error') { setError(gone ? 'The gateway has deleted the text.' : j.error); setJob(null); }
        if (j && j.status === 'done' && j.result) {
          watching.current();
          const answer = await fetch(j.result);
          setOut(await answer.text());
          setMade(j.id);
          setJob(null);
        }
      });
    } catch (e) { setError(e.message); setJob(null); }
  };
  useEffect(() => () => watching.current && watching.current(), []);
  const copy = async () => { await navigator.clipboard.writeText(out); setCopied(true); setTimeout(() => setCopied(false), 1500); };
  return html`
    <div class="two">
      <div class="panel">
        <textarea id="text" dir="auto" aria-label="text to translate" placeholder="Write or paste a text" value=${text}
          onInput=${(e) => setText(e.target.value)} onKeyDown=${(e) => { if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) run(); }}></textarea>
        <div class="bar">
          <span class="small muted grow">${count([...text].length, 'character')}</span>
          <button id="translate" class="primary" disabled=${!text.trim() || !ready || job} onClick=${run}>${job ? 'Translating…' : 'Translate'}</button>
        </div>
      </div>
      <div class="panel">
        <div id="output" class="output" dir="auto" lang=${to} role="status" aria-label="translation">${out || html`<span class="muted">${job ? '' : 'The translation appears here.'}</span>`}
          ${job ? html`<progress max=${job.segments || 1} value=${job.segments ? job.done : undefined}></progress>` : null}</div>
        <${Failure} text=${error} />
        <div class="bar"><span class="grow"></span><button disabled=${!out} onClick=${copy}>${copied ? 'Copied' : 'Copy'}</button></div>
      </div>
    </div>
    ${made && after(made) ? html`<div class="panel">${after(made)}</div>` : null}`;
}

function Drop({ send, status, ready }) {
  const [over, setOver] = useState(false);
  const input = useRef(null);
  const drop = (e) => { e.preventDefault(); setOver(false); if (ready) send([...e.dataTransfer.files]); };
  const formats = status ? status.formats : [];
  return html`
    <div class=${'drop' + (over ? ' over' : '')} onDragOver=${(e) => { e.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)} onDrop=${drop}>
      <p><button class="primary" disabled=${!ready} onClick=${() => input.current.click()}>Choose documents</button> <span class="mouse">or drop them here</span></p>
      <input id="files" ref=${input} type="file" multiple hidden accept=${formats.join(',')} onChange=${(e) => { send([...e.target.files]); e.target.value = ''; }} />
      <p class="small muted">${formats.join(' ')}${status ? `, up to ${megabytes(status.max_document)} MB. Deleted here ${duration(status.keep_seconds)} after the translation${status.memory ? '; the sentences stay in the gateway’s translation memory' : ''}.` : ''}</p>
    </div>`;
}

// Check asks whether a receipt holds, and whether it is that of the files.
function Check() {
  const [files, setFiles] = useState({});
  const [verdict, setVerdict] = useState(null);
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  const choose = (name) => (e) => { setVerdict(null); setFiles({ ...files, [name]: e.target.files[0] }); };
  const check = async (e) => {
    e.preventDefault();
    setError(''); setVerdict(null); setBusy(true);
    const form = new FormData();
    for (const [name, f] of Object.entries(files)) if (f) form.append(name, f, f.name);
    try { setVerdict(await ask('/api/verify', { method: 'POST', body: form })); } catch (e) { setError(e.message); }
    setBusy(false);
  };
  return html`
    <details id="check" class="panel"><summary>Check a receipt</summary>
      <form class="bar" onSubmit=${check}>
        ${['receipt', 'document', 'translation'].map((name) => html`<label class="field">${name[0].toUpperCase() + name.slice(1)}
          <input id=${'check-' + name} type="file" onChange=${choose(name)} /></label>`)}
        <button class="primary" disabled=${!files.receipt || busy}>${busy ? 'Checking…' : 'Check'}</button>
      </form>
      <${Failure} text=${error} />
      <p id="verdict" role="status">${verdict ? words(verdict) : ''}</p>
    </details>`;
}

// paid says what the ledger's proof in a receipt shows of the pay.
const paid = {
  paid: 'The ledger has paid the miners', claimed: 'The ledger owes the miners, who have claimed their pay',
  mixed: 'The ledger has paid a part of the work', unpaid: 'The miners are not paid',
};

// words says in plain words what the check of a receipt found.
function words(v) {
  if (!v.good) return `The receipt does not hold: ${v.error}.`;
  const parts = [];
  if (v.bought) parts.push(`${count(v.bought, 'text')} by miners for this document, each with its proof`);
  if (v.computed) parts.push(`${count(v.computed, 'text')} by a model without a proof here: the gateway had ${v.computed === 1 ? 'it' : 'them'} from an earlier job, or computed by itself`);
  if (v.human) parts.push(`${count(v.human, 'text')} by a person`);
  const files = v.compared.length ? `It is the receipt of this ${v.compared.join(' and this ')}.` : 'No file was compared with it.';
  const pay = v.jobs.length ? ` ${paid[v.status] || `Its state is ${v.status}`}: ${alia(v.paid)}.` : '';
  return `The receipt holds. ${files} Translated from ${language(v.from)} to ${language(v.to)}: ${parts.join('; ') || 'no text'}.${pay}`;
}

// watch calls f with a job at each change, and returns a function that ends it.
function watch(id, f) {
  let source, ended = false;
  const open = () => {
    source = new EventSource(`/api/jobs/${id}/events`);
    source.addEventListener('job', (e) => {
      const job = JSON.parse(e.data);
      if (job.status === 'error' || (job.status === 'done' && job.settled)) source.close();
      f(job, false);
    });
    source.addEventListener('gone', () => { source.close(); f(null, true); });
    source.onerror = async () => {
      if (ended || source.readyState !== EventSource.CLOSED) return; // else the browser connects again
      try { f(await ask('/api/jobs/' + id), false); } catch (e) { if (e.status === 404) f(null, true); }
    };
  };
  open();
  return () => { ended = true; source.close(); };
}

const reasons = {
  untranslated: 'was left as it is: there is no translation of it',
  'in-parts': 'was translated in parts around its tags or placeholders',
  codes: 'was left as it is: its translation had other placeholders or addresses',
  charset: 'was left as it is: the charset of the file lacks a letter of its translation',
  plurals: 'has fewer plural forms than the language needs',
  numbers: 'has other digits than the original',
  repeats: 'has a translation that says the same again and again',
  length: 'has a translation that is far longer or shorter',
  copied: 'has a translation that is the original, or nearly',
  empty: 'has an empty translation',
  cut: 'has a translation that may lack its end',
};

function Job({ id, forget, after }) {
  const [job, set] = useState(null);
  const [gone, setGone] = useState(false);
  useEffect(() => watch(id, (j, g) => { if (g) setGone(true); else set(j); }), [id]);
  const remove = async () => {
    try { await ask('/api/jobs/' + id, { method: 'DELETE' }); } catch { /* it is gone already */ }
    forget();
  };
  if (gone) return html`<li><div class="title"><span class="muted">A document that the gateway has deleted.</span><button onClick=${forget}>Remove</button></div></li>`;
  if (!job) return html`<li class="muted">…</li>`;
  const left = job.seconds_left !== undefined ? `, ${duration(job.seconds_left)} left` : '';
  const state = {
    queued: 'waits for its turn',
    translating: `${job.done} of ${count(job.segments, 'segment')}${left}`,
    done: `done, ${count(job.segments, 'segment')}`,
    error: 'failed',
  }[job.status] || job.status;
  return html`
    <li data-status=${job.status}>
      <div class="title"><b>${job.name}</b><span class="muted small">${language(job.from)} → ${language(job.to)} · ${state}${job.cost && job.status !== 'error' ? (job.settled ? ' · ' : ' · at most ') + alia(job.cost) : ''}</span></div>
      ${job.status === 'translating' || job.status === 'queued' ? html`<progress max=${job.segments || 1} value=${job.done} aria-label=${job.name}></progress>` : null}
      <${Failure} text=${job.error} />
      ${job.flags.length ? html`
        <details><summary class="warn">${count(job.flags.length + (job.more_flags || 0), 'place')} to look at</summary>
          <ul class="small">${job.flags.slice(0, 100).map((f) => html`<li><b>${f.where}</b>: “<span dir="auto">${f.text}</span>” ${reasons[f.reason] || f.reason}${f.detail ? ` (${f.detail})` : ''}.</li>`)}</ul>
        </details>` : null}
      <div class="bar">
        ${job.result ? html`<a class="button primary" href=${job.result} download>Download</a>` : null}
        ${job.receipt ? html`<a class="button" href=${job.receipt} download>Receipt</a>` : null}
        <span class="grow"></span>
        ${job.expires ? html`<span class="small muted">kept until ${new Date(job.expires).toLocaleTimeString()}</span>` : null}
        <button onClick=${remove}>Delete</button>
      </div>
      ${job.status === 'done' ? after(id) : null}
    </li>`;
}
