// What the views of the page share: requests with the key, amounts, and small parts.
import { html, useEffect, useState } from './vendor/preact.js';

// A secret lives as long as the tab.
const secret = (name) => ({
  get: () => sessionStorage.getItem(name) || '',
  set: (s) => (s ? sessionStorage.setItem(name, s) : sessionStorage.removeItem(name)),
});

// key is that of a customer, token that of who runs the gateway.
export const key = secret('key'), token = secret('token');

// ask sends a request and gives the JSON of the answer. Its error says what a person can do.
export async function ask(path, options = {}) {
  const headers = { ...(options.headers || {}) };
  const bearer = options.bearer ?? key.get();
  if (bearer) headers.Authorization = 'Bearer ' + bearer;
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch {
    throw new Error('The gateway does not answer. Is it still running?');
  }
  if (answer.status === 204) return null;
  const text = await answer.text();
  let body = {};
  try { body = JSON.parse(text); } catch { /* not JSON: an error of something in between */ }
  if (!answer.ok) {
    const e = new Error(body.error || `The gateway answers ${answer.status}.`);
    e.status = answer.status;
    throw e;
  }
  return body;
}

// usePoll asks for a path every so many milliseconds while the view is seen.
export function usePoll(path, every) {
  const [state, set] = useState({ data: null, error: '' });
  useEffect(() => {
    let timer, ended = false;
    const look = async () => {
      if (!document.hidden) {
        try {
          const data = await ask(path);
          if (!ended) set({ data, error: '' });
        } catch (e) {
          if (!ended) set((s) => ({ data: s.data, error: e.message, status: e.status }));
        }
      }
      if (!ended) timer = setTimeout(look, every);
    };
    look();
    return () => { ended = true; clearTimeout(timer); };
  }, [path, every]);
  return { ...state, put: (data) => set({ data, error: '' }) };
}

const coin = 100_000_000;
// alia writes an amount of 1e-8 ALIA, with so many digits after the point at most.
export function alia(amount, digits = 8) {
  if (amount > 0 && amount < coin / 10 ** digits) digits = 8; // else it would be 0
  const text = (amount / coin).toFixed(digits).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');
  return text + ' ALIA';
}

export const count = (n, one, many = one + 's') => `${n.toLocaleString()} ${n === 1 ? one : many}`;

export function duration(s) {
  s = Math.max(0, Math.ceil(s));
  if (s < 90) return `${s} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  return `${(s / 3600).toFixed(1)} h`;
}

// language gives the name of a language in the reader's own.
const names = new Intl.DisplayNames([navigator.language || 'en', 'en'], { type: 'language' });
export function language(code) {
  try { return names.of(code) || code; } catch { return code; }
}

export const short = (cid) => (cid && cid.length > 18 ? cid.slice(0, 10) + '…' + cid.slice(-5) : cid);

// Cid shows a long name in short, and copies the whole of it.
export function Cid({ value }) {
  const [copied, set] = useState(false);
  if (!value) return '–';
  const copy = async () => {
    await navigator.clipboard.writeText(value);
    set(true);
    setTimeout(() => set(false), 1500);
  };
  return html`<code title=${value}>${short(value)}</code> <button class="small" onClick=${copy} aria-label=${'copy ' + value}>${copied ? 'copied' : 'copy'}</button>`;
}

// number writes a number in few digits.
export const number = (n) => (n >= 100 ? Math.round(n).toLocaleString() : n.toLocaleString(undefined, { maximumSignificantDigits: 3 }));

// ago is how long ago a time was.
export function ago(time) {
  const s = (Date.now() - new Date(time)) / 1000;
  return s < 2 ? 'now' : s < 172800 ? duration(s) + ' ago' : new Date(time).toLocaleDateString();
}

const moods = { working: 'good', running: 'good', training: 'good', finished: 'good', approved: 'good', damaged: 'bad', stopped: 'bad', rejected: 'bad' };
// State is a state in its colour, and the reason for it.
export const State = ({ state, why }) => html`<span class=${'state ' + (moods[state] || 'warn')}>${state}</span>${why ? html` <span class="small muted">${why}</span>` : null}`;

// Nothing stands where there is nothing to show yet: 404 has a reason, others are errors.
export const Nothing = ({ error, status, wait }) => (!error ? html`<p class="muted" role="status">${wait}</p>`
  : status === 404 ? html`<section id="absent"><p>${error}</p></section>` : html`<${Failure} text=${error} />`);

export const Failure = ({ text }) => (text ? html`<p class="message" role="alert">${text}</p>` : null);

// Token asks for the token of who runs the gateway.
export function Token() {
  const [value, set] = useState(token.get());
  return html`
    <p class="small muted">The terminal in which the gateway runs names the file that has the token. The token stays in this tab.</p>
    <form onSubmit=${(e) => e.preventDefault()}><label class="field">Token of the gateway
      <input id="token" type="password" autocomplete="off" value=${value} onInput=${(e) => { set(e.target.value); token.set(e.target.value.trim()); }} /></label></form>`;
}
