// Draws the face of facelab.viz.face_controls from its parameters. Each figure carries this file, so it may run many times.
(function () {
  "use strict";

  const NUMBERS = { i1: Int8Array, u1: Uint8Array, i2: Int16Array, u2: Uint16Array };
  const LIGHT = [-0.35, 0.45, 0.8].map((part) => part / Math.hypot(0.35, 0.45, 0.8)); // from the viewer's upper left
  const AMBIENT = 0.42;
  const DIFFUSE = 0.66;
  const PAPER = [244, 244, 244];

  function decode(text, kind) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return new NUMBERS[kind](bytes.buffer);
  }

  // facelab.geometry.rotation_matrix: Rx(-pitch) Ry(-yaw) Rz(-roll)
  function rotation([pitch, yaw, roll]) {
    const [cp, sp, cy, sy, cr, sr] = [pitch, yaw, roll].flatMap((degrees) => {
      const angle = (degrees * Math.PI) / 180;
      return [Math.cos(angle), Math.sin(angle)];
    });
    return [
      [cy * cr, cy * sr, -sy],
      [sp * sy * cr - cp * sr, sp * sy * sr + cp * cr, sp * cy],
      [cp * sy * cr + sp * sr, cp * sy * sr - sp * cr, cp * cy],
    ];
  }

  // facelab.geometry.WeakPerspective.matrix: [s F R | t] with F = diag(1, -1, 1)
  function cameraOf([pitch, yaw, roll, scale, x, y]) {
    const flip = [scale, -scale, scale];
    const shift = [x, y, 0];
    return rotation([pitch, yaw, roll]).map((row, axis) => [...row.map((value) => flip[axis] * value), shift[axis]]);
  }

  // Vertices, axis by axis: mean + sum of value * mode.
  function shapeOf(data, values) {
    const shape = data.mean.slice();
    data.modes.forEach((mode, index) => {
      const factor = values[index] * mode.unit_of_points;
      if (factor === 0) return;
      for (let i = 0; i < shape.length; i++) shape[i] += factor * mode.points[i];
    });
    return shape;
  }

  // Pixels of the crop, axis by axis.
  function project(shape, camera) {
    const count = shape.length / 3;
    const placed = new Float32Array(shape.length);
    for (let axis = 0; axis < 3; axis++) {
      const [a, b, c, shift] = camera[axis];
      for (let i = 0; i < count; i++) {
        placed[axis * count + i] = a * shape[i] + b * shape[count + i] + c * shape[2 * count + i] + shift;
      }
    }
    return placed;
  }

  // Brightness of each vertex: the cosine between its normal and the light. Pixels go down, hence the signs of y.
  function shades(placed, triangles) {
    const count = placed.length / 3;
    const normals = new Float32Array(placed.length);
    for (let t = 0; t < triangles.length; t += 3) {
      const [i, j, k] = [triangles[t], triangles[t + 1], triangles[t + 2]];
      const [ax, bx] = [placed[j] - placed[i], placed[k] - placed[i]];
      const [ay, by] = [placed[count + i] - placed[count + j], placed[count + i] - placed[count + k]];
      const [az, bz] = [placed[2 * count + j] - placed[2 * count + i], placed[2 * count + k] - placed[2 * count + i]];
      const normal = [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx];
      for (const vertex of [i, j, k]) for (let axis = 0; axis < 3; axis++) normals[axis * count + vertex] += normal[axis];
    }
    return Float32Array.from({ length: count }, (_, i) => {
      const [x, y, z] = [normals[i], normals[count + i], normals[2 * count + i]];
      const cosine = (x * LIGHT[0] + y * LIGHT[1] + z * LIGHT[2]) / (Math.hypot(x, y, z) || 1);
      return AMBIENT + DIFFUSE * Math.max(0, cosine);
    });
  }

  // A z-buffer: of all triangles that cover a pixel, the nearest colours it.
  function rasterize(picture, placed, zoom, triangles, colours, bright) {
    const { width, height, data } = picture;
    const count = placed.length / 3;
    const depth = new Float32Array(width * height).fill(-Infinity);
    for (let t = 0; t < triangles.length; t += 3) {
      const corners = [triangles[t], triangles[t + 1], triangles[t + 2]];
      const [x0, x1, x2] = corners.map((i) => (placed[i] + 0.5) * zoom - 0.5);
      const [y0, y1, y2] = corners.map((i) => (placed[count + i] + 0.5) * zoom - 0.5);
      const [z0, z1, z2] = corners.map((i) => placed[2 * count + i]);
      const area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0);
      if (area === 0) continue;
      const [left, right] = [Math.max(0, Math.ceil(Math.min(x0, x1, x2))), Math.min(width - 1, Math.floor(Math.max(x0, x1, x2)))];
      const [top, bottom] = [Math.max(0, Math.ceil(Math.min(y0, y1, y2))), Math.min(height - 1, Math.floor(Math.max(y0, y1, y2)))];
      for (let y = top; y <= bottom; y++) {
        for (let x = left; x <= right; x++) {
          const w1 = ((x - x0) * (y2 - y0) - (x2 - x0) * (y - y0)) / area;
          const w2 = ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) / area;
          const w0 = 1 - w1 - w2;
          if (w0 < 0 || w1 < 0 || w2 < 0) continue;
          const z = w0 * z0 + w1 * z1 + w2 * z2;
          const pixel = y * width + x;
          if (z <= depth[pixel]) continue;
          depth[pixel] = z;
          const [s0, s1, s2] = [w0 * bright[corners[0]], w1 * bright[corners[1]], w2 * bright[corners[2]]];
          for (let channel = 0; channel < 3; channel++) {
            data[4 * pixel + channel] =
              s0 * colours[3 * corners[0] + channel] + s1 * colours[3 * corners[1] + channel] + s2 * colours[3 * corners[2] + channel];
          }
        }
      }
    }
  }

  function drawLandmarks(context, data, placed, zoom) {
    const count = placed.length / 3;
    const points = data.landmarks.map((i) => [(placed[i] + 0.5) * zoom, (placed[count + i] + 0.5) * zoom]);
    context.strokeStyle = "rgba(0, 0, 0, 0.55)";
    context.lineWidth = 1;
    context.beginPath();
    for (const [from, to] of data.edges) {
      context.moveTo(...points[from]);
      context.lineTo(...points[to]);
    }
    context.stroke();
    for (const [x, y] of points) {
      context.beginPath();
      context.arc(x, y, 2.6, 0, 2 * Math.PI);
      context.fillStyle = data.accent;
      context.fill();
      context.stroke();
    }
  }

  function draw(canvas, data, camera, values) {
    const context = canvas.getContext("2d");
    const picture = context.createImageData(canvas.width, canvas.height);
    for (let i = 0; i < picture.data.length; i++) picture.data[i] = i % 4 === 3 ? 255 : PAPER[i % 4];
    const placed = project(shapeOf(data, values), camera);
    const zoom = data.pixels / data.side;
    rasterize(picture, placed, zoom, data.triangles, data.colours, shades(placed, data.triangles));
    context.putImageData(picture, 0, 0);
    drawLandmarks(context, data, placed, zoom);
  }

  function tell(output, data, camera, values) {
    const rows = camera.map((row) => `<tr>${row.map((value) => `<td>${value.toFixed(2)}</td>`).join("")}</tr>`).join("");
    const parts = ["identity", "expression"].map((kind) => {
      const [first, count] = data[kind];
      const own = data.modes.flatMap((mode, i) => (mode.parameter >= first && mode.parameter < first + count ? [values[i] * mode.unit] : []));
      return `<tr><th colspan="4">${own.length} of ${count} ${kind} coefficients</th></tr>
        <tr><td colspan="4">${own.map((value) => value.toFixed(2)).join("&ensp;")}</td></tr>`;
    });
    output.innerHTML = `<table><tr><th colspan="3">camera: s F R</th><th>t</th></tr>${rows}${parts.join("")}</table>`;
  }

  function open(figure) {
    const data = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
    data.mean = Float32Array.from(decode(data.mean.points, "i2"), (value) => value * data.mean.unit_of_points);
    for (const mode of data.modes) mode.points = decode(mode.points, "i1");
    data.triangles = decode(data.triangles, "u2");
    data.colours = decode(data.colours, "u1");
    const form = figure.querySelector("form");
    const inputs = Array.from(form.querySelectorAll("input"));

    let pending = false;
    function redraw() {
      pending = false;
      const values = inputs.map((input) => Number(input.value));
      const camera = cameraOf(values.slice(0, 6));
      draw(figure.querySelector("canvas"), data, camera, values.slice(6));
      tell(figure.querySelector(".face-controls-numbers"), data, camera, values.slice(6));
    }
    function changed() {
      for (const input of inputs) {
        input.parentElement.querySelector("output").value = Number(input.value).toFixed(Number(input.dataset.digits));
      }
      if (pending) return;
      pending = true;
      window.requestAnimationFrame(redraw);
    }
    form.addEventListener("input", changed);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => window.setTimeout(changed, 0));
    redraw();
    figure.classList.add("is-live");
    figure.dataset.state = "live";
  }

  for (const figure of document.querySelectorAll("figure.facelab-face-controls:not([data-state])")) {
    figure.dataset.state = "waiting";
    try {
      open(figure);
    } catch (error) {
      // The still picture is a complete figure: leave it in place and say why nothing moves.
      figure.dataset.state = "still: " + error.message;
    }
  }
})();
