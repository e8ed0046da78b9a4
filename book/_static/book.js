// Where a page is narrow its tables scroll sideways, and then the keyboard must reach them. The theme sees to it for code.
(() => {
  "use strict";

  const boxes = document.querySelectorAll(".pst-scrollable-table-container, div.measured");
  const attributes = {tabindex: "0", role: "group", "aria-label": "Table"};

  function mark(box) {
    const scrolls = box.scrollWidth > box.clientWidth;
    for (const [name, value] of Object.entries(attributes)) {
      if (scrolls) box.setAttribute(name, value);
      else box.removeAttribute(name);
    }
  }

  // A table grows within its box, too, when its equations are set.
  for (const box of boxes) {
    const watch = new ResizeObserver(() => mark(box));
    [box, ...box.children].forEach(part => watch.observe(part));
  }
})();
