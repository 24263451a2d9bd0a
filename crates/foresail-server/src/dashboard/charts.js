// Charts by Plotly, which is fetched once something is to be drawn, after the numbers are on the page.

// Times of day, and days where the chart is too long for them; one line, as there is room for no more.
const TICKS = [
  { dtickrange: [null, 60000], value: "%H:%M:%S" },
  { dtickrange: [60000, 43200000], value: "%H:%M" },
  { dtickrange: [43200000, null], value: "%d %b" },
];

let loading;
const drawn = new Map();

function load() {
  loading = loading || new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = "/assets/plotly-3.0.1.min.js";
    script.onload = () => done(window.Plotly);
    script.onerror = () => { loading = undefined; failed(new Error("the charts could not be loaded")); };
    document.head.append(script);
  });
  return loading;
}

/** A colour of the style sheet, as it is in this theme; `alpha` makes it faint. */
function colours() {
  const probe = document.createElement("span");
  document.body.append(probe);
  const of = (name, alpha) => {
    probe.style.color = `var(--${name})`;
    const rgb = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).join(",");
    return alpha === undefined ? `rgb(${rgb})` : `rgba(${rgb},${alpha})`;
  };
  const names = {};
  for (const name of ["ink", "quiet", "rule", "grid", "card", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "bad"]) names[name] = of(name);
  const result = { ...names, faint: (name, alpha) => of(name, alpha) };
  return { result, end: () => probe.remove() };
}

/** Draws into `div` what `make(colours)` says: `{ data, layout }`. Draws anew when the theme changes. */
export async function draw(div, make) {
  drawn.set(div, make);
  const Plotly = await load();
  if (!div.isConnected || drawn.get(div) !== make) return;
  paint(Plotly, div, make);
}

function paint(Plotly, div, make) {
  const { result: c, end } = colours();
  const { data, layout } = make(c);
  end();
  const narrow = div.clientWidth < 560;
  const axis = { gridcolor: c.grid, zerolinecolor: c.rule, linecolor: c.rule, tickfont: { color: c.quiet }, fixedrange: true };
  const full = {
    height: 260, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "x unified", showlegend: true,
    font: { color: c.ink, family: "system-ui, sans-serif", size: narrow ? 11 : 12 },
    margin: { l: narrow ? 36 : 48, r: 8, t: 8, b: 26 },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", bgcolor: "rgba(0,0,0,0)" },
    hoverlabel: { bgcolor: c.card, bordercolor: c.rule, font: { color: c.ink }, align: "left" },
    ...layout,
    xaxis: { ...axis, type: "date", showgrid: false, nticks: narrow ? 5 : 10, tickformatstops: TICKS, ...(layout.xaxis || {}) },
    yaxis: { ...axis, rangemode: "tozero", ...(layout.yaxis || {}) },
  };
  Plotly.react(div, data, full, { displayModeBar: false, responsive: true, typesetMath: false });
}

/** Draws every chart on the page once more. */
export async function repaint() {
  const Plotly = await load();
  for (const [div, make] of drawn) {
    if (div.isConnected) paint(Plotly, div, make);
    else drawn.delete(div);
  }
}

/** Lets go of charts whose page has gone. */
export function clear() {
  for (const div of drawn.keys()) {
    if (window.Plotly && div.isConnected) window.Plotly.purge(div);
  }
  drawn.clear();
}

/** A line at the present. */
export const now = (time, c) => ({ type: "line", xref: "x", yref: "paper", x0: time, x1: time, y0: 0, y1: 1, line: { color: c.quiet, width: 1, dash: "dot" } });
