/* The manager's page: two plotly charts, and the drawer behind every number. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const isJapanese = document.documentElement.lang === "ja";
  // Version 4 would offer an upload to a cloud; nothing leaves this page.
  const config = { displayModeBar: false, displaylogo: false, showSendToCloud: false, plotlyServerURL: "", responsive: false, showTips: false, doubleClick: false, scrollZoom: false, locale: isJapanese ? "ja" : "en" };

  /* ── charts ── */
  function palette() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const names = ["up", "down", "neutral", "surface", "raised", "ink", "ink-2", "ink-3", "line", "line-strong"];
    return { ...Object.fromEntries(names.map((name) => [name, colour(name)])), font: getComputedStyle(document.body).fontFamily, size: 12 };
  }
  const mixed = (colour, other, share) => {
    const parts = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    const [a, b] = [parts(colour), parts(other)];
    return `rgb(${a.map((value, at) => Math.round(value * share + b[at] * (1 - share))).join(",")})`;
  };
  const layoutOf = (c, more) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, dragmode: false, hovermode: "closest", autosize: false,
    font: { family: c.font, size: c.size, color: c.ink }, colorway: [c.up, c.neutral, c.down],
    hoverlabel: { bgcolor: c.raised, bordercolor: c["line-strong"], font: { family: c.font, size: c.size, color: c.ink } }, ...more,
  });
  const label = (c, more) => ({ showarrow: false, font: { family: c.font, size: c.size, color: c.ink }, ...more });

  function waterfall(plot, numbers, c) {
    const { bars, floor } = numbers;
    const isLying = plot.clientWidth < 380;
    const colour = { total: c.neutral, up: c.up, down: c.down, new: c.surface };
    const bottoms = bars.map((bar) => (bar.kind === "total" ? floor : Math.min(bar.base, bar.base + bar.amount)));
    const tops = bars.map((bar) => Math.max(bar.kind === "total" ? bar.amount : Math.max(bar.base, bar.base + bar.amount), floor));
    const sizes = bars.map((bar, at) => tops[at] - bottoms[at]);
    const most = Math.max(...tops, floor + 1), room = (most - floor) * (isLying ? 0.32 : 0.1);
    const places = bars.map((bar, at) => at);
    const trace = {
      type: "bar", orientation: isLying ? "h" : "v", base: bottoms, [isLying ? "y" : "x"]: places, [isLying ? "x" : "y"]: sizes, width: isLying ? 0.5 : 0.86,
      marker: {
        color: bars.map((bar) => colour[bar.kind]),
        line: { width: bars.map((bar) => (bar.kind === "new" ? 1.5 : 0)), color: c.neutral },
        pattern: { shape: bars.map((bar) => (bar.kind === "down" ? "/" : "")), fillmode: "replace", fgcolor: c.down, bgcolor: mixed(c.down, c.surface, 0.62), size: 7, solidity: 0.62 },
      },
      hovertemplate: bars.map((bar) => `${bar.name} ${bar.text}<extra></extra>`), cliponaxis: false,
    };
    const ink = (bar) => (bar.kind === "up" ? c.up : bar.kind === "down" ? c.down : c.ink);
    const annotations = bars.map((bar, at) => label(c, {
      [isLying ? "y" : "x"]: at, [isLying ? "x" : "y"]: isLying ? most + room : tops[at], xanchor: isLying ? "right" : "center", yanchor: isLying ? "middle" : "bottom",
      text: bar.text, font: { family: c.font, size: c.size, color: ink(bar), weight: 500 }, captureevents: true,
    }));
    if (isLying) bars.forEach((bar, at) => annotations.push(label(c, { xref: "paper", x: 0, y: at, xanchor: "left", yanchor: "middle", xshift: -104, text: bar.name, font: { family: c.font, size: 12.5, color: c.ink } })));
    const shapes = [];
    let level = 0;
    bars.forEach((bar, at) => {
      level = bar.kind === "total" ? bar.amount : bar.base + bar.amount;
      if (!isLying && at < bars.length - 1) shapes.push({ type: "line", x0: at + 0.43, x1: at + 0.57, y0: level, y1: level, line: { color: c["ink-3"], width: 1 } });
      // The axis does not start at zero: the totals are torn, so that nobody compares their lengths.
      if (bar.kind === "total" && floor > 0 && level > floor) shapes.push(torn(at, floor, most, isLying, c.surface));
      if (isLying && at < bars.length) shapes.push({ type: "line", xref: "paper", x0: -0.4, x1: 1, y0: at + 0.5, y1: at + 0.5, line: { color: c.line, width: 1 } });
    });
    const names = { tickvals: places, ticktext: bars.map((bar) => (isLying ? bar.name : wrapped(bar.name))), fixedrange: true, zeroline: false, showgrid: false, tickfont: { color: c["ink-2"], size: Math.max(8, Math.min(11.5, plot.clientWidth / bars.length / 5.7)) }, ticks: "", automargin: false };
    const amounts = { range: [floor, most + room], fixedrange: true, showgrid: false, zeroline: false, showticklabels: false, showline: false };
    return [[trace], layoutOf(c, isLying
      ? { xaxis: amounts, yaxis: { ...names, range: [bars.length - 0.5, -0.5], showticklabels: false }, margin: { l: 104, r: 2, t: 0, b: 0 }, annotations, shapes }
      : { xaxis: { ...names, range: [-0.5, bars.length - 0.5], showline: true, linecolor: c["line-strong"], linewidth: 1, tickangle: 0 }, yaxis: amounts, margin: { l: 0, r: 0, t: 4, b: 32 }, annotations, shapes })];
  }
  // Two short lines under a bar: at the blank nearest to the middle, or where Japanese has its dot.
  function wrapped(name) {
    const breaks = [...name.matchAll(/ |(?<=・)/g)].map((found) => found.index);
    if (name.length < 9 && !name.includes("・") || !breaks.length) return name;
    const at = breaks.reduce((best, place) => (Math.abs(place - name.length / 2) < Math.abs(best - name.length / 2) ? place : best));
    return `${name.slice(0, at)}<br>${name.slice(at).trimStart()}`;
  }
  function torn(at, floor, most, isLying, colour) {
    const reach = most - floor, middle = floor + reach * 0.07, high = reach * 0.022, teeth = 12, points = [];
    if (isLying) return { type: "rect", x0: middle - reach * 0.008, x1: middle + reach * 0.008, y0: at - 0.3, y1: at + 0.3, fillcolor: colour, line: { width: 0 } };
    for (let tooth = 0; tooth <= teeth; tooth += 1) points.push(`${at - 0.44 + (0.88 * tooth) / teeth},${middle + (tooth % 2 ? high : 0)}`);
    return { type: "path", path: `M${points.join("L")}L${at + 0.44},${middle - high}L${at - 0.44},${middle - high}Z`, fillcolor: colour, line: { width: 0 } };
  }

  function trend(plot, numbers, c) {
    const traces = [], shapes = [], annotations = [], axes = {};
    const places = numbers.days.map((day, at) => at);
    numbers.lines.forEach((line, row) => {
      const known = line.values.filter((value) => value !== null);
      const reach = line.target === null ? known : [...known, line.target];
      const low = reach.length ? Math.min(...reach) : 0, high = reach.length ? Math.max(...reach) : 1;
      const pad = Math.max((high - low) * 0.18, 0.5);
      const [bottom, top] = [Math.floor(low - pad), Math.ceil(high + pad)];
      const axis = row ? "yaxis2" : "yaxis", ref = row ? "y2" : "y";
      axes[axis] = { domain: row ? [0, 0.42] : [0.5, 1], range: [bottom, top], fixedrange: true, zeroline: false, showgrid: false, tickvals: [bottom], ticktext: [`${bottom}`], tickfont: { color: c["ink-3"], size: 11 }, showline: false, ticklen: 0, side: "left" };
      traces.push({ type: "scatter", mode: known.length > 1 ? "lines" : "markers", x: places, y: line.values, yaxis: ref, connectgaps: false, cliponaxis: false, line: { color: row ? c["ink-2"] : c.up, width: row ? 2 : 2.5 }, marker: { color: row ? c["ink-2"] : c.up, size: 6 }, text: line.texts, hovertemplate: `${line.name} %{text}<extra></extra>` });
      shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, yref: ref, y0: bottom, y1: bottom, line: { color: c.line, width: 1 } });
      if (line.target !== null) {
        shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, yref: ref, y0: line.target, y1: line.target, line: { color: c["ink-3"], width: 1, dash: "4px,3px" } });
        const isFree = line.values[0] === null || line.values[0] < line.target;
        annotations.push(label(c, { xref: "paper", yref: ref, x: isFree ? 0 : 1, y: line.target, xanchor: isFree ? "left" : "right", yanchor: "bottom", text: line.target_text, font: { family: c.font, size: 11.5, color: c["ink-3"] } }));
      }
      const last = line.values.findLastIndex((value) => value !== null);
      // Two labels instead of one in bold: plotly writes <b> as a style attribute, which the policy forbids.
      if (last >= 0) for (const [text, weight, yshift] of [[line.last, 600, 7], [line.name, 400, -8]]) annotations.push(label(c, { xref: "paper", yref: ref, x: 1, y: line.values[last], xanchor: "left", xshift: 4, yanchor: "middle", yshift, text, font: { family: c.font, size: 12.5, weight, color: c.ink } }));
    });
    const ends = [0, Math.floor(places.length / 2), places.length - 1];
    ends.forEach((at, order) => annotations.push(label(c, { x: at, y: 0, xref: "x", yref: "paper", yanchor: "top", yshift: -4, xanchor: ["left", "center", "right"][order], text: numbers.days[at], font: { family: c.font, size: 11.5, color: c["ink-3"] } })));
    return [traces, layoutOf(c, { ...axes, xaxis: { range: [0, places.length - 1], fixedrange: true, showgrid: false, zeroline: false, showticklabels: false, anchor: "y2" }, margin: { l: 26, r: 54, t: 6, b: 22 }, annotations, shapes })];
  }

  const kinds = { waterfall, trend };
  const hrefOf = (numbers, curve, at) => (numbers.bars ? numbers.bars[at]?.href : numbers.lines[curve]?.hrefs[at]);
  function draw() {
    const c = palette();
    for (const plot of $$(".plot[data-chart]")) {
      if (!plot.clientWidth) continue;
      const numbers = JSON.parse(plot.dataset.numbers);
      const isLying = plot.dataset.chart === "waterfall" && plot.clientWidth < 380;
      plot.classList.toggle("lying", isLying);
      const [traces, layout] = kinds[plot.dataset.chart](plot, numbers, c);
      Plotly.react(plot, traces, { ...layout, width: plot.clientWidth, height: isLying ? numbers.bars.length * 37 : plot.clientHeight }, config);
      if (!plot.dataset.bound) {
        plot.dataset.bound = "yes";
        plot.on("plotly_click", (event) => drill(hrefOf(numbers, event.points[0].curveNumber, event.points[0].pointIndex)));
        plot.on("plotly_clickannotation", (event) => numbers.bars && drill(numbers.bars[event.index % numbers.bars.length].href));
      }
    }
  }
  let waiting = 0;
  const redraw = () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(draw); };
  const sizes = new ResizeObserver(redraw);
  function begin() {
    sizes.disconnect();
    $$(".plot[data-chart]").forEach((plot) => sizes.observe(plot));
    draw();
  }
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new MutationObserver(redraw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  // The page on paper has its own width and its own, light, colours.
  window.matchMedia("print").addEventListener("change", draw);
  document.addEventListener("toggle", (event) => { if (event.target.matches?.(".astable")) redraw(); }, true);

  /* ── the drawer ── */
  const drawer = () => $("#drill");
  let below = "";
  async function drill(href, { push = true } = {}) {
    if (!href) return;
    if (!drawer() || !window.htmx) { location.href = href; return; }
    await window.htmx.ajax("GET", href, { target: "#drill", swap: "innerHTML" });
    if (!drawer().firstElementChild) return;
    if (!drawer().open) {
      if (push) below = location.pathname + location.search;
      window.kizashi.open("drill");
    }
    drawer().scrollTop = 0;
    if (push) history.pushState({ drill: true }, "", href);
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-drill]");
    if (!link || !drawer() || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    drill(link.getAttribute("href"));
  });
  document.addEventListener("close", (event) => {
    if (event.target.id !== "drill") return;
    event.target.replaceChildren();
    if (location.pathname.includes("/drill/")) history.replaceState({ htmx: true }, "", below || "/metrics/");
  }, true);
  window.addEventListener("popstate", () => {
    if (!drawer()) return;
    if (location.pathname.includes("/drill/")) drill(location.pathname + location.search, { push: false });
    else if (drawer().open) drawer().close();
  });

  document.addEventListener("htmx:load", (event) => { if ($(".plot[data-chart]", event.detail.elt) || event.detail.elt.matches?.(".plot[data-chart]")) begin(); });
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
