// Moves the ellipses of facelab.viz.ellipses. Each figure carries this file, so it may run many times.
(function () {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";

  function shape(parent, name, attributes) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent.appendChild(element);
    return element;
  }

  // What turns the unit circle into the ellipse of a landmark: along its tangent (tx, ty), across (-ty, tx).
  function placed([x, y, tx, ty], a, b, unit) {
    if (tx === undefined) return [unit, 0, 0, unit, x, y];
    if (tx === 0 && ty === 0) return [unit * b, 0, 0, unit * b, x, y];
    return [unit * a * tx, unit * a * ty, -unit * b * ty, unit * b * tx, x, y];
  }

  function drawFace(svg, data, face) {
    svg.replaceChildren();
    svg.setAttribute("viewBox", `-0.5 -0.5 ${face.width} ${face.height}`);
    shape(svg, "image", { href: face.source, x: -0.5, y: -0.5, width: face.width, height: face.height });
    for (const [from, to] of data.lines) {
      const [start, end] = [face.points[from], face.points[to]];
      if (!start || !end) continue;
      shape(svg, "line", {
        x1: start[0], y1: start[1], x2: end[0], y2: end[1], stroke: "#fff", "stroke-opacity": 0.55,
        "vector-effect": "non-scaling-stroke",
      });
    }
    return face.points.map((point, index) => {
      if (!point) return null;
      const look = point.length > 2 ? data.looks.curve : data.looks.corner;
      const ellipse = shape(svg, "circle", {
        r: 1, fill: look.fill, "fill-opacity": look.opacity, stroke: look.edge, "stroke-width": look.width,
        "vector-effect": "non-scaling-stroke", "data-landmark": index,
      });
      shape(ellipse, "title", {}).textContent = data.names[index];
      return ellipse;
    });
  }

  function entry(colour, text) {
    const whole = document.createElement("span");
    const mark = document.createElement("i");
    mark.style.background = colour;
    whole.append(mark, text);
    return whole;
  }

  function open(figure) {
    const data = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
    const svg = figure.querySelector("svg");
    const form = figure.querySelector("form");
    const weights = figure.querySelector(".ellipses-weights");
    let shown = -1;
    let ellipses = [];

    function tell() {
      for (const input of form.querySelectorAll("input")) input.parentElement.querySelector("output").value = input.value;
      const a = Number(form.elements.a.value);
      const b = Number(form.elements.b.value);
      const index = form.elements.face ? Number(form.elements.face.value) - 1 : 0;
      const face = data.faces[index];
      if (index !== shown) ellipses = drawFace(svg, data, face);
      shown = index;
      face.points.forEach((point, landmark) => {
        if (point) ellipses[landmark].setAttribute("transform", `matrix(${placed(point, a, b, face.width / data.side).join(" ")})`);
      });
      weights.replaceChildren(
        entry(data.looks.curve.fill, `weight along 1/a² = ${(1 / (a * a)).toFixed(3)}, across 1/b² = ${(1 / (b * b)).toFixed(3)}`),
        entry(data.looks.corner.fill, "weight of a corner 1"),
      );
    }

    form.addEventListener("input", tell);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => window.setTimeout(tell, 0));
    tell();
    figure.classList.add("is-live");
    figure.dataset.state = "live";
  }

  for (const figure of document.querySelectorAll("figure.facelab-ellipses:not([data-state])")) {
    figure.dataset.state = "waiting";
    try {
      open(figure);
    } catch (error) {
      // The still picture is a complete figure: leave it in place and say why nothing moves.
      figure.dataset.state = "still: " + error.message;
    }
  }
})();
