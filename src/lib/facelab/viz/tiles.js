// Moves the tiles of facelab.viz.tiles. Each figure carries this file, so it may run many times.
(function () {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  // What happens from one time to the next, in shares of the whole.
  const STAGES = [
    [0.05, "the picture"], [0.36, "tiles change places"], [0.42, "shuffled"], [0.56, "the thumbnail comes in"],
    [0.68, "what the local stream sees"], [0.94, "tiles go back"], [1, "put back"],
  ];
  const [REST, THERE, STILL, COVERED, SEEN, BACK] = STAGES.map(([end]) => end);

  function shape(parent, name, attributes) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent.appendChild(element);
    return element;
  }

  // From 0 before the first time to 1 after the second, slow at both ends.
  function share(time, first, second) {
    const part = Math.min(1, Math.max(0, (time - first) / (second - first)));
    return part * part * (3 - 2 * part);
  }

  const between = (from, to, part) => from.map((value, axis) => value + part * (to[axis] - value));

  // A window on a picture: what lies in it, and the frame around it.
  function pane(svg, source, [left, top], [width, height], [whole, tall]) {
    const inner = shape(svg, "svg", { width, height, viewBox: `${left} ${top} ${width} ${height}`, preserveAspectRatio: "none" });
    shape(inner, "image", { href: source, width: whole, height: tall, preserveAspectRatio: "none" });
    const look = { fill: "none", stroke: "#fff", "stroke-width": 1.5, "vector-effect": "non-scaling-stroke" };
    shape(inner, "rect", { x: left, y: top, width, height, ...look });
    return inner;
  }

  function place(element, [x, y]) {
    element.setAttribute("x", x.toFixed(3));
    element.setAttribute("y", y.toFixed(3));
  }

  // Draws one picture; returns what brings it to a time.
  function drawPicture(svg, data, picture) {
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${data.width} ${data.height}`);
    const extent = [data.width / data.tiles, data.height / data.tiles];
    const corner = (index) => [(index % data.tiles) * extent[0], Math.floor(index / data.tiles) * extent[1]];
    const placeOf = picture.held.map((_, tile) => picture.held.indexOf(tile));
    const missing = picture.covered < 0 ? -1 : picture.held[picture.covered];
    // Tiles that move are drawn above those that stay.
    const order = picture.held.map((_, tile) => tile).sort((a, b) => (placeOf[a] !== a) - (placeOf[b] !== b) || a - b);
    const panes = new Map(order.map((tile) => {
      const element = pane(svg, picture.source, corner(tile), extent, [data.width, data.height]);
      element.setAttribute("data-tile", tile);
      return [tile, element];
    }));
    const thumbnail = missing < 0 ? null : pane(svg, picture.thumbnail === "own" ? picture.source : picture.thumbnail, [0, 0], [data.width, data.height], [data.width, data.height]);
    if (thumbnail) thumbnail.setAttribute("data-tile", "thumbnail");

    const line = { fill: "none", "stroke-linecap": "round", "vector-effect": "non-scaling-stroke" };
    const marks = shape(svg, "g", {});
    const threads = shape(marks, "path", { ...line, stroke: data.colours.pixels, "stroke-width": 1, "stroke-opacity": 0.8 });
    const pixels = shape(marks, "path", { ...line, stroke: data.colours.pixels, "stroke-width": 4 });
    // A picture starts at the edge of its first pixel; landmarks count from its centre.
    const points = picture.points.map(([x, y]) => [x + 0.5, y + 0.5]);
    const curves = data.edges.map(([from, to]) => `M${points[from]}L${points[to]}`).join("");
    const dots = points.map((point) => `M${point}h0`).join("");
    shape(marks, "path", { ...line, stroke: data.colours.label, "stroke-width": 1.2, d: curves });
    shape(marks, "path", { ...line, stroke: data.colours.label, "stroke-width": 4, d: dots });
    const tileOf = points.map(([x, y]) => {
      const [column, row] = [Math.floor(x / extent[0]), Math.floor(y / extent[1])];
      return column >= 0 && row >= 0 && column < data.tiles && row < data.tiles ? row * data.tiles + column : -1;
    });

    return (time, labelled) => {
      const away = (tile) => {
        const target = corner(placeOf[tile]);
        return time < SEEN ? between(corner(tile), target, share(time, REST, THERE)) : between(target, corner(tile), share(time, SEEN, BACK));
      };
      for (const [tile, element] of panes) place(element, away(tile));
      const comes = share(time, STILL, COVERED);
      if (missing >= 0) {
        panes.get(missing).setAttribute("opacity", comes === 1 ? 0 : 1);
        const target = time < SEEN ? corner(picture.covered) : away(missing);
        place(thumbnail, between([0, 0], target, comes));
        const size = between([data.width, data.height], extent, comes);
        thumbnail.setAttribute("width", size[0].toFixed(3));
        thumbnail.setAttribute("height", size[1].toFixed(3));
        thumbnail.setAttribute("opacity", Math.min(1, 3 * comes).toFixed(3));
      }
      marks.setAttribute("visibility", labelled ? "visible" : "hidden");
      const lost = (index) => comes === 1 && tileOf[index] >= 0 && tileOf[index] === missing;
      const now = points.map(([x, y], index) => {
        if (tileOf[index] < 0) return [x, y];
        const [here, home] = [away(tileOf[index]), corner(tileOf[index])];
        return [x + here[0] - home[0], y + here[1] - home[1]];
      });
      const kept = points.map((_, index) => index).filter((index) => !lost(index));
      const far = kept.map((index) => Math.hypot(now[index][0] - points[index][0], now[index][1] - points[index][1]));
      const apart = kept.filter((_, number) => far[number] > 0.01);
      const written = (point) => point.map((value) => value.toFixed(2)).join(" ");
      threads.setAttribute("d", apart.map((index) => `M${written(points[index])}L${written(now[index])}`).join(""));
      pixels.setAttribute("d", apart.map((index) => `M${written(now[index])}h0`).join(""));
      const mean = far.reduce((sum, each) => sum + each, 0) / (far.length || 1);
      return { mean: (100 * mean) / data.width, apart: apart.length, gone: points.length - kept.length };
    };
  }

  function open(figure) {
    const data = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
    const svg = figure.querySelector("svg");
    const form = figure.querySelector("form");
    const { time: slider, picture: choice, label } = form.elements;
    const button = form.querySelector("button");
    let move = null;
    let running = null;

    function show() {
      const time = Number(slider.value) / 1000;
      const told = move(time, label.checked);
      figure.querySelector(".tiles-stage").textContent = STAGES.find(([end]) => time <= end)[1];
      figure.querySelector(".tiles-told").textContent =
        `The label stays. Away from their landmark: the pixels of ${told.apart}, on average of all ` +
        `${told.mean.toFixed(1)} % of the side. Covered: those of ${told.gone}.`;
    }
    function redraw() {
      move = drawPicture(svg, data, data.pictures[Number(choice.value)]);
      show();
    }
    function stop() {
      if (running !== null) window.cancelAnimationFrame(running);
      running = null;
      button.textContent = "▶";
    }
    function play() {
      if (Number(slider.value) >= 1000) slider.value = 0;
      button.textContent = "❚❚";
      const start = performance.now() - Number(slider.value) * data.seconds;
      const step = (now) => {
        slider.value = Math.max(0, Math.min(1000, (now - start) / data.seconds));
        show();
        if (Number(slider.value) >= 1000) stop();
        else running = window.requestAnimationFrame(step);
      };
      running = window.requestAnimationFrame(step);
    }
    button.addEventListener("click", () => (running === null ? play() : stop()));
    slider.addEventListener("input", () => {
      stop();
      show();
    });
    choice.addEventListener("change", redraw);
    label.addEventListener("change", show);
    form.addEventListener("submit", (event) => event.preventDefault());
    redraw();
    figure.classList.add("is-live");
    figure.dataset.state = "live";
  }

  for (const figure of document.querySelectorAll("figure.facelab-tiles:not([data-state])")) {
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
