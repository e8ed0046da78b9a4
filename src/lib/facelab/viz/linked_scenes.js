// Links the cameras of all scenes of a figure written by facelab.viz.mesh_errors, once figure.js has drawn it.
(function () {
  "use strict";

  function link(plot) {
    const scenes = Object.keys(plot._fullLayout).filter((key) => /^scene\d*$/.test(key));
    const follow = (change) => {
      const moved = scenes.find((scene) => change[scene + ".camera"]);
      if (!moved) return;
      const camera = change[moved + ".camera"];
      for (const scene of scenes) {
        if (scene === moved) continue;
        // At once and without an event of its own: a drag moves all scenes together, and nothing goes in circles.
        // The layout must know as well, or the next frame would turn the scene back.
        plot.layout[scene].camera = plot._fullLayout[scene].camera = structuredClone(camera);
        plot._fullLayout[scene]._scene.setViewport(plot._fullLayout[scene]);
      }
    };
    plot.on("plotly_relayouting", follow);
    plot.on("plotly_relayout", follow);
  }

  function whenDrawn(figure) {
    const begin = () => link(figure.querySelector(".facelab-plot"));
    if (figure.dataset.state === "drawn") {
      begin();
      return;
    }
    const watch = new MutationObserver(() => {
      if (figure.dataset.state !== "drawn") return;
      watch.disconnect();
      begin();
    });
    watch.observe(figure, { attributeFilter: ["data-state"] });
  }

  const script = document.currentScript;
  let figure = script.previousElementSibling;
  while (figure && !figure.matches("figure.facelab-figure")) figure = figure.previousElementSibling;
  if (figure) whenDrawn(figure);
})();
