// Plays the clips of facelab.viz.clip_tracks. Each figure carries this file, so it may run many times.
(function () {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const ROOM = { left: 46, right: 8, top: 42, bottom: 34 }; // around the plot, in pixels of the page

  function shape(parent, name, attributes, text) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    parent.appendChild(element);
    return element;
  }

  function decode(track, data) {
    const bytes = Uint8Array.from(atob(track.points), (character) => character.charCodeAt(0));
    const steps = new Int16Array(bytes.buffer);
    const at = (frame, landmark, axis) => steps[(frame * data.landmarks + landmark) * 2 + axis] * data.step;
    return { ...track, at };
  }

  const still = { fill: "none", "stroke-linejoin": "round", "vector-effect": "non-scaling-stroke" };

  // The drawing of one network; returns what moves it to a frame.
  function panel(parent, data, track, truth) {
    const box = parent.appendChild(document.createElement("div"));
    box.append(track.name);
    const svg = shape(box, "svg", { viewBox: `-0.5 -0.5 ${data.width} ${data.height}` });
    const image = shape(svg, "image", { x: -0.5, y: -0.5, width: data.width, height: data.height });
    const face = shape(svg, "path", { ...still, stroke: track.colour, "stroke-width": 1.2, "stroke-opacity": 0.8 });
    const paths = [truth, track].map((each) => [each, shape(svg, "path", { ...still, stroke: each.colour, "stroke-width": 2 })]);
    const dots = shape(svg, "path", { ...still, stroke: track.colour, "stroke-width": 4, "stroke-linecap": "round" });
    const place = (each, frame, landmark) => `${each.at(frame, landmark, 0).toFixed(2)} ${each.at(frame, landmark, 1).toFixed(2)}`;
    return (frame) => {
      image.setAttribute("href", data.frames[frame]);
      face.setAttribute("d", data.edges.map(([from, to]) => `M${place(track, frame, from)}L${place(track, frame, to)}`).join(""));
      dots.setAttribute("d", data.names.map((_, landmark) => `M${place(track, frame, landmark)}h0`).join(""));
      const first = Math.max(0, frame - data.trail);
      const times = Array.from({ length: frame - first + 1 }, (_, index) => first + index);
      for (const [each, path] of paths) {
        const lines = data.followed.map((landmark) => "M" + times.map((time) => place(each, time, landmark)).join("L"));
        path.setAttribute("d", lines.join(""));
      }
    };
  }

  // The largest of 1, 2 and 5 times a power of ten that gives three steps or more.
  function stepOf(span) {
    const power = 10 ** Math.floor(Math.log10(span / 3));
    return [5, 2, 1].map((factor) => factor * power).find((step) => step <= span / 3) || power;
  }

  // Draws the lines of the plot; returns what moves its cursor to a frame.
  function plot(svg, data, tracks, truth, landmark, axis, measure) {
    svg.replaceChildren();
    const { width, height } = svg.getBoundingClientRect();
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const count = data.frames.length;
    const value = (each, frame) => each.at(frame, landmark, axis) - (measure === "off" ? truth.at(frame, landmark, axis) : 0);
    const lines = [truth, ...tracks].map((each) => ({ ...each, values: data.frames.map((_, frame) => value(each, frame)) }));
    const all = lines.flatMap((line) => line.values);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const margin = 0.06 * (high - low) || 1;
    const x = (frame) => ROOM.left + (frame / (count - 1)) * (width - ROOM.left - ROOM.right);
    const y = (number) => {
      const share = (number - low + margin) / (high - low + 2 * margin);
      return height - ROOM.bottom - share * (height - ROOM.top - ROOM.bottom);
    };

    const step = stepOf(high - low + 2 * margin);
    const digits = Math.max(0, -Math.floor(Math.log10(step)));
    for (let tick = Math.ceil((low - margin) / step) * step; tick <= high + margin; tick += step) {
      shape(svg, "line", { x1: ROOM.left, x2: width - ROOM.right, y1: y(tick), y2: y(tick), stroke: "#ddd" });
      shape(svg, "text", { x: ROOM.left - 5, y: y(tick) + 4, "text-anchor": "end" }, (Math.abs(tick) < step / 2 ? 0 : tick).toFixed(digits));
    }
    const every = Math.max(1, Math.round(stepOf(count)));
    for (let frame = 0; frame < count; frame += every) {
      shape(svg, "text", { x: x(frame), y: height - ROOM.bottom + 16, "text-anchor": "middle" }, frame);
    }
    shape(svg, "text", { x: width - ROOM.right, y: height - 3, "text-anchor": "end" }, "frame");
    const name = "xy"[axis] + (measure === "off" ? " less true " + "xy"[axis] : "");
    shape(svg, "text", { x: 4, y: 32 }, name + " (px)");
    for (const line of lines) {
      const points = line.values.map((number, frame) => `${x(frame).toFixed(1)},${y(number).toFixed(1)}`).join(" ");
      shape(svg, "polyline", { points, fill: "none", stroke: line.colour, "stroke-width": 1.6 });
    }
    const cursor = shape(svg, "line", { y1: ROOM.top - 4, y2: height - ROOM.bottom, stroke: "#222", "stroke-dasharray": "3 3" });
    legend(svg, lines, width);
    return (frame) => {
      cursor.setAttribute("x1", x(frame));
      cursor.setAttribute("x2", x(frame));
    };
  }

  // Right-aligned in one row, set from the end since only drawn text has a width.
  function legend(svg, lines, width) {
    let end = width - ROOM.right;
    for (const line of [...lines].reverse()) {
      const text = shape(svg, "text", { x: end, y: 14, "text-anchor": "end" }, line.name);
      const start = end - text.getBBox().width;
      shape(svg, "line", { x1: start - 16, x2: start - 4, y1: 10, y2: 10, stroke: line.colour, "stroke-width": 3 });
      end = start - 26;
    }
  }

  function open(figure) {
    const data = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
    const truth = decode(data.truth, data);
    const tracks = data.tracks.map((track) => decode(track, data));
    const form = figure.querySelector("form");
    const { frame: slider, landmark, axis, measure } = form.elements;
    const button = form.querySelector("button");
    const panels = tracks.map((track) => panel(figure.querySelector(".clip-networks"), data, track, truth));
    let moveCursor = () => {};
    let timer = null;

    function show() {
      const frame = Number(slider.value);
      form.querySelector("output").value = `frame ${frame}`;
      for (const move of panels) move(frame);
      moveCursor(frame);
    }
    function replot() {
      const chosen = [Number(landmark.value), Number(axis.value), measure.value];
      moveCursor = plot(figure.querySelector(".clip-plot"), data, tracks, truth, ...chosen);
      show();
    }
    function stop() {
      window.clearInterval(timer);
      timer = null;
      button.textContent = "▶";
    }
    function play() {
      button.textContent = "❚❚";
      timer = window.setInterval(() => {
        slider.value = (Number(slider.value) + 1) % data.frames.length;
        show();
      }, 1000 / data.rate);
    }
    button.addEventListener("click", () => (timer === null ? play() : stop()));
    slider.addEventListener("input", () => {
      stop();
      show();
    });
    for (const choice of [landmark, axis, measure]) choice.addEventListener("change", replot);
    form.addEventListener("submit", (event) => event.preventDefault());
    figure.classList.add("is-live");
    new ResizeObserver(replot).observe(figure);
    replot();
    figure.dataset.state = "live";
  }

  for (const figure of document.querySelectorAll("figure.facelab-clip:not([data-state])")) {
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
