// Curves over rounds, drawn by uPlot in the colours of the page.
import { html, useEffect, useRef, useState } from './vendor/preact.js';

const dark = matchMedia('(prefers-color-scheme: dark)');

// pointed is the value that the legend shows: the newest, while nobody points at another.
const pointed = (u, v, series, at) => (at == null ? u.data[series].findLast((y) => y != null) : v);
const written = (v) => (v == null ? '–' : v >= 1000 ? Math.round(v).toLocaleString() : v.toFixed(2));

// Plot draws series, each a name and its values; null is no value.
export function Plot({ title, unit, x, series, empty }) {
  const box = useRef(null), plot = useRef(null);
  const [theme, setTheme] = useState(dark.matches);
  const data = [x, ...series.map((s) => s[1])];
  useEffect(() => {
    const changed = () => setTheme(dark.matches);
    dark.addEventListener('change', changed);
    return () => dark.removeEventListener('change', changed);
  }, []);
  const some = x.length > 0;
  useEffect(() => {
    if (!some) return undefined;
    const css = getComputedStyle(document.documentElement);
    const colour = (name) => css.getPropertyValue(name).trim();
    const axis = { stroke: colour('--muted'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line'), width: 1 } };
    const size = () => ({ width: Math.max(200, box.current.clientWidth), height: 220 });
    plot.current = new uPlot({
      ...size(),
      scales: { x: { time: false } },
      axes: [{ ...axis, label: 'rounds', labelSize: 18, size: 34 }, { ...axis, size: 64 }],
      cursor: { y: false, drag: { x: true, y: false } },
      series: [{ label: 'round', value: (...of) => pointed(...of).toLocaleString() }, ...series.map(([label], i) => ({
        label, stroke: colour(i ? '--second' : '--accent'), width: 2, spanGaps: true,
        points: { show: (u, at) => u.data[at].filter((y) => y != null).length < 40 }, // few values are no line, and one is nothing
        value: (...of) => written(pointed(...of)),
      }))],
    }, data, box.current);
    const watch = new ResizeObserver(() => plot.current && plot.current.setSize(size()));
    watch.observe(box.current);
    return () => { watch.disconnect(); plot.current.destroy(); plot.current = null; };
  }, [theme, some]);
  const drawn = x.length + ' ' + x[x.length - 1] + ' ' + JSON.stringify(data.map((d) => d[d.length - 1]));
  useEffect(() => { if (plot.current) plot.current.setData(data); }, [drawn]);
  const newest = series.map(([label, v]) => { const known = v.filter((y) => y != null); return known.length ? `${label} ${known[known.length - 1].toFixed(2)}` : ''; }).filter(Boolean).join(', ');
  return html`<section class="plot"><h2>${title} <small class="muted">${unit}</small></h2>
    ${some ? html`<div ref=${box} role="img" aria-label=${`${title} over rounds ${x[0]} to ${x[x.length - 1]}: now ${newest}`}></div>` : html`<p class="muted">${empty}</p>`}</section>`;
}
