// Draws the figures written by facelab.viz.figure. Each figure carries this file, so it may run many times.
(function () {
  "use strict";

  const NUMBERS = {
    f8: Float64Array, f4: Float32Array, i4: Int32Array, u4: Uint32Array,
    i2: Int16Array, u2: Uint16Array, i1: Int8Array, u1: Uint8Array,
  };

  // Plotly's typed arrays: {dtype, bdata (base64)}; plain lists are returned as they are.
  function decode(values) {
    if (!values || values.bdata === undefined) return values;
    const bytes = Uint8Array.from(atob(values.bdata), (character) => character.charCodeAt(0));
    return new NUMBERS[values.dtype](bytes.buffer);
  }

  function loadScript(url) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = url;
      script.onload = () => (window.Plotly ? resolve(window.Plotly) : reject(new Error("no Plotly in " + url)));
      script.onerror = () => reject(new Error("cannot load " + url));
      document.head.appendChild(script);
    });
  }

  // The copy that the site ships comes first; notebooks shown elsewhere (Colab, nbviewer) have none.
  function loadPlotly(version) {
    if (window.Plotly && window.Plotly.version === version) return Promise.resolve(window.Plotly);
    const remote = "https://cdn.plot.ly/plotly-" + version + ".min.js";
    const root = document.documentElement.dataset.content_root;
    if (root === undefined) return loadScript(remote);
    return loadScript(root + "vendor/plotly.min.js").catch(() => loadScript(remote));
  }

  // Kept on the window: every copy of this file on a page waits for the same download.
  function plotlyOnce(version) {
    if (!window.facelabPlotly) window.facelabPlotly = loadPlotly(version);
    return window.facelabPlotly;
  }

  function hasWebGL() {
    const canvas = document.createElement("canvas");
    return Boolean(canvas.getContext("webgl2") || canvas.getContext("webgl"));
  }

  function needsWebGL(spec) {
    return spec.data.some((trace) => /mesh3d|3d$|surface|cone|streamtube|volume|gl$/.test(trace.type || ""));
  }

  // position(trace) = rest(trace) + sum over controls of value * delta(control, trace)
  function blended(rest, parts, values) {
    const axes = rest.map((axis) => Float32Array.from(axis));
    for (const part of parts) {
      const factor = values[part.control] * part.scale;
      if (factor === 0) continue;
      for (let axis = 0; axis < 3; axis++) {
        const target = axes[axis];
        const offset = axis * target.length;
        for (let i = 0; i < target.length; i++) target[i] += factor * part.delta[offset + i];
      }
    }
    return axes;
  }

  function connectControls(figure, plot, spec) {
    const form = figure.querySelector(".facelab-controls");
    if (!form) return;
    const inputs = Array.from(form.querySelectorAll("input"));
    const traces = new Map();
    for (const blend of spec.blends) {
      const trace = spec.data[blend.trace];
      if (!traces.has(blend.trace)) {
        traces.set(blend.trace, { rest: ["x", "y", "z"].map((axis) => decode(trace[axis])), parts: [] });
      }
      const part = { control: blend.control, scale: blend.scale, delta: decode(blend.delta) };
      traces.get(blend.trace).parts.push(part);
    }

    let pending = false;
    function redraw() {
      pending = false;
      const values = inputs.map((input) => Number(input.value));
      for (const [index, { rest, parts }] of traces) {
        const [x, y, z] = blended(rest, parts, values);
        window.Plotly.restyle(plot, { x: [x], y: [y], z: [z] }, [index]);
      }
    }
    function changed() {
      for (const input of inputs) {
        input.parentElement.querySelector("output").value = Number(input.value).toFixed(2);
      }
      if (pending) return;
      pending = true;
      window.requestAnimationFrame(redraw);
    }
    form.addEventListener("input", changed);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => window.setTimeout(changed, 0));
    if (inputs.some((input) => Number(input.value) !== 0)) changed();
  }

  async function draw(figure) {
    const spec = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
    try {
      if (needsWebGL(spec) && !hasWebGL()) throw new Error("WebGL is off");
      const Plotly = await plotlyOnce(figure.dataset.plotly);
      const plot = figure.querySelector(".facelab-plot");
      figure.classList.add("is-drawn");
      await Plotly.newPlot(plot, { data: spec.data, layout: spec.layout, frames: spec.frames, config: spec.config });
      connectControls(figure, plot, spec);
      figure.dataset.state = "drawn";
    } catch (error) {
      // The still picture is a complete figure: leave it in place and say why it does not move.
      figure.classList.remove("is-drawn");
      figure.dataset.state = "still: " + error.message;
    }
  }

  const seen = "IntersectionObserver" in window
    ? new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        seen.unobserve(entry.target);
        draw(entry.target);
      }
    }, { rootMargin: "300px" })
    : { observe: draw };

  for (const figure of document.querySelectorAll("figure.facelab-figure:not([data-state])")) {
    figure.dataset.state = "waiting";
    seen.observe(figure);
  }
})();
