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

  const watch = new ResizeObserver(entries => entries.forEach(entry => mark(entry.target)));
  boxes.forEach(box => watch.observe(box));
})();
