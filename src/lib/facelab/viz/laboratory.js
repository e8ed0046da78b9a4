// Moves the switches of facelab.viz.laboratory. Each figure carries this file, so it may run many times.
(function () {
  "use strict";

  const TRAIL = 6;
  const MARGIN = 12, MIDDLE = 42, AXIS = 64, HEIGHT = 96; // of the scale, in pixels
  const SVG = "http://www.w3.org/2000/svg";

  function numbersOf(text) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return new Float32Array(bytes.buffer);
  }

  // The four numbers under the options chosen: value, low, high, noise. The last axis is the fastest.
  function at(numbers, switches, chosen) {
    let place = 0;
    switches.forEach((each, index) => { place = place * each.options.length + chosen[index]; });
    return Array.from(numbers.subarray(4 * place, 4 * place + 4));
  }

  function shape(parent, name, attributes, text) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    parent.appendChild(element);
    return element;
  }

  function percent(value) {
    return value.toFixed(value < 100 ? 2 : 0) + " %";
  }

  // A round number at or above the largest, and about five steps up to it.
  function axis(largest) {
    const rough = Math.max(largest, 1e-6) / 5;
    const power = Math.pow(10, Math.floor(Math.log10(rough)));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
    return { step, end: step * Math.ceil(largest / step) };
  }

  function drawScale(svg, now, start, trail, fromTop) {
    svg.replaceChildren();
    const width = svg.clientWidth || 640;
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const right = width - MARGIN;
    const all = [...trail.map((each) => each.numbers), now, start].flat().filter(Number.isFinite);
    const { step, end } = fromTop ? { step: 20, end: 100 } : axis(Math.max(...all));
    const x = (value) => MARGIN + (right - MARGIN) * Math.min(Math.max(value, 0), end) / end;
    const [value, low, high, noise] = now;
    if (Number.isFinite(noise)) {
      const [from, to] = fromTop ? [noise, 100] : [0, noise];
      shape(svg, "rect", { x: x(from), y: 14, width: Math.max(x(to) - x(from), 0), height: AXIS - 14, fill: "#E69F00", opacity: 0.3 });
    }
    shape(svg, "line", { x1: MARGIN, x2: right, y1: AXIS, y2: AXIS, stroke: "#555" });
    for (let tick = 0; tick <= end * 1.0001; tick += step) {
      shape(svg, "line", { x1: x(tick), x2: x(tick), y1: AXIS, y2: AXIS + 5, stroke: "#555" });
      const anchor = tick === 0 ? "start" : tick > end * 0.999 ? "end" : "middle";
      shape(svg, "text", { x: x(tick), y: AXIS + 18, "text-anchor": anchor }, Number(tick.toPrecision(4)) + " %");
    }
    for (const each of trail) shape(svg, "circle", { cx: x(each.numbers[0]), cy: MIDDLE, r: 4, fill: "#999", opacity: 0.6 });
    shape(svg, "line", { x1: x(start[0]), x2: x(start[0]), y1: 20, y2: AXIS, stroke: "#0072B2", "stroke-dasharray": "4 3" });
    shape(svg, "line", { x1: x(low), x2: x(high), y1: MIDDLE, y2: MIDDLE, stroke: "#D55E00", "stroke-width": 3 });
    shape(svg, "circle", { cx: x(value), cy: MIDDLE, r: 7, fill: "#D55E00" });
  }

  function open(figure) {
    const data = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
    const numbers = numbersOf(data.numbers);
    const form = figure.querySelector("form");
    const selects = Array.from(form.querySelectorAll("select"));
    const output = figure.querySelector("output");
    const scale = figure.querySelector("svg");
    const list = figure.querySelector("ol");
    const first = selects.map((select) => Number(select.value));
    const trail = [];
    let last = null;
    let redraw = () => {};

    function tell() {
      const chosen = selects.map((select) => Number(select.value));
      const now = at(numbers, data.switches, chosen);
      const measure = chosen[chosen.length - 1];
      const start = at(numbers, data.switches, [...first.slice(0, -1), measure]);
      if (last && last.measure !== measure) trail.length = 0;
      if (last && last.measure === measure) trail.unshift(last);
      trail.length = Math.min(trail.length, TRAIL);

      const name = data.switches[data.switches.length - 1].options[measure];
      const fromTop = data.best_at_100.includes(name);
      const [value, low, high, noise] = now;
      const strong = document.createElement("strong");
      strong.textContent = percent(value);
      const change = value - start[0];
      const words = [` from ${percent(low)} to ${percent(high)} with other faces; `];
      words.push(Math.abs(change) < 0.005 ? "as at the start" : `${change > 0 ? "+" : "−"}${Math.abs(change).toFixed(2)} against the start`);
      if (Number.isFinite(noise)) words.push(`. Shaded: ${data.noise}, ${percent(noise)}`);
      output.replaceChildren(`${name} `, strong, words.join("") + ".");
      const shown = trail.slice();
      redraw = () => drawScale(scale, now, start, shown, fromTop);
      redraw();

      list.replaceChildren(...trail.map((each) => {
        const item = document.createElement("li");
        item.textContent = `${percent(each.numbers[0])}  with ${each.rules}`;
        return item;
      }));
      const changed = data.switches.slice(0, -1)
        .map((each, index) => (chosen[index] === first[index] ? "" : each.options[chosen[index]]))
        .filter(Boolean);
      last = { numbers: now, measure, rules: changed.length ? changed.join(", ") : "the rules of the start" };
    }

    form.addEventListener("change", tell);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => window.setTimeout(() => { trail.length = 0; last = null; tell(); }, 0));
    figure.classList.add("is-live");
    tell();
    window.addEventListener("resize", () => redraw());
    figure.dataset.state = "live";
  }

  for (const figure of document.querySelectorAll("figure.facelab-laboratory:not([data-state])")) {
    figure.dataset.state = "waiting";
    try {
      open(figure);
    } catch (error) {
      // The still picture is a complete figure: leave it in place and say why nothing moves.
      figure.classList.remove("is-live");
      figure.dataset.state = "still: " + error.message;
    }
  }
})();
