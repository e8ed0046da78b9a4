// Filters and sorts the tables of the ledger. Nothing is fetched; without this script the tables stand there in full.
//
// The page marks what is wanted: <th data-sort="text|number"> can be sorted, <th data-filter> gets a list of choices,
// and a box with data-search gets a field for text. The state of a box is kept in the fragment, with the id of the box:
// #ledger-claims?Verdict=refuted
(() => {
  "use strict";

  const order = new Intl.Collator("en", {numeric: true, sensitivity: "base"});
  const shown = element => element.textContent.trim();

  /** Rows in the order of a column; cells without a number come last either way. */
  function sorted(rows, column, kind, direction) {
    const key = row => {
      const text = shown(row.cells[column]);
      return kind === "number" ? parseFloat(text.replace("−", "-").replaceAll(",", "")) : text;
    };
    const keyed = rows.map(row => [key(row), row]);
    const empty = value => value === "" || Number.isNaN(value);
    keyed.sort(([a], [b]) => {
      if (empty(a) || empty(b)) return empty(a) - empty(b);
      return direction * (kind === "number" ? a - b : order.compare(a, b));
    });
    return keyed.map(([, row]) => row);
  }

  /** Turn the headings into buttons: ascending, descending, as on the page. */
  function makeSortable(table, rows) {
    const headings = [...table.tHead.rows[0].cells];
    const next = {none: "ascending", ascending: "descending", descending: "none"};
    headings.forEach((heading, column) => {
      if (!heading.dataset.sort) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      heading.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const state = next[heading.getAttribute("aria-sort")];
        headings.forEach(other => other.dataset.sort && other.setAttribute("aria-sort", "none"));
        heading.setAttribute("aria-sort", state);
        const direction = state === "descending" ? -1 : 1;
        table.tBodies[0].append(...(state === "none" ? rows : sorted(rows, column, heading.dataset.sort, direction)));
      });
    });
  }

  function labelled(name, control, id) {
    const field = document.createElement("div"), label = document.createElement("label");
    control.id = label.htmlFor = id;
    label.append(name);
    field.append(label, control);
    return field;
  }

  function choices(name, values) {
    const select = document.createElement("select");
    select.name = name;
    select.append(new Option("all", ""), ...values.map(value => new Option(value)));
    return select;
  }

  function field() {
    const input = document.createElement("input");
    input.type = "search";
    input.name = "text";
    return input;
  }

  /** Put the controls above a table, and return how to read and set them. */
  function makeFilters(box, table, rows) {
    const form = document.createElement("form");
    form.className = "ledger-filters";
    form.setAttribute("aria-label", "Choose rows");
    const filters = [];
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      if (!("filter" in heading.dataset)) return;
      const name = shown(heading);
      const select = choices(name, [...new Set(rows.map(row => shown(row.cells[column])).filter(Boolean))]);
      const accepts = row => !select.value || shown(row.cells[column]) === select.value;
      filters.push({control: select, accepts, column});
      form.append(labelled(name, select, `${box.id}-choice-${column}`));
    });
    if ("search" in box.dataset) {
      const input = field();
      const texts = new Map(rows.map(row => [row, row.textContent.toLowerCase()]));
      const words = () => input.value.toLowerCase().split(/\s+/).filter(Boolean);
      filters.push({control: input, accepts: row => words().every(word => texts.get(row).includes(word))});
      form.append(labelled(box.dataset.search, input, `${box.id}-words`));
    }
    const reset = document.createElement("button");
    reset.type = "reset";
    reset.textContent = "Show all";
    const count = document.createElement("output");
    form.append(reset, count);

    function apply() {
      rows.forEach(row => { row.hidden = !filters.every(filter => filter.accepts(row)); });
      filters.forEach(({control, column}, index) => {
        if (column === undefined) return;
        const others = filters.filter((_, other) => other !== index);
        const possible = new Set(
          rows.filter(row => others.every(filter => filter.accepts(row))).map(row => shown(row.cells[column])));
        [...control.options].forEach(option => { option.disabled = option.value && !possible.has(option.value); });
      });
      const left = rows.filter(row => !row.hidden).length;
      const text = `${left} of ${rows.length} rows`;
      if (count.textContent !== text) count.textContent = text;
      reset.disabled = filters.every(({control}) => !control.value);
    }

    function remember() {
      const state = new URLSearchParams(
        filters.filter(({control}) => control.value).map(({control}) => [control.name, control.value]));
      const fragment = state.size ? `#${box.id}?${state}` : `#${box.id}`;
      history.replaceState(null, "", fragment);
    }

    form.addEventListener("submit", event => event.preventDefault());
    form.addEventListener("input", () => { apply(); remember(); });
    form.addEventListener("reset", () => setTimeout(() => { apply(); remember(); }));
    box.prepend(form);
    return {
      apply,
      recall(state) {
        filters.forEach(({control}) => {
          control.value = state.get(control.name) ?? "";
          if (control.selectedIndex === -1) control.value = "";  // a choice that the table does not have
        });
        apply();
      },
    };
  }

  const boxes = new Map();
  document.querySelectorAll(".ledger-box").forEach(box => {
    const table = box.querySelector("table");
    const rows = [...table.tBodies[0].rows];
    const wanted = "search" in box.dataset || table.querySelector("th[data-filter]");
    if (wanted) boxes.set(box.id, makeFilters(box, table, rows));
    makeSortable(table, rows);
  });

  /** Follow the fragment: to a row, which must then be seen, or to a table in the state that is named. */
  function follow() {
    const [name, state] = location.hash.slice(1).split("?", 2);
    const target = document.getElementById(decodeURIComponent(name));
    const box = target?.closest(".ledger-box");
    if (!box) return;
    if (target === box || target.hidden) boxes.get(box.id)?.recall(new URLSearchParams(state));
    target.querySelectorAll(":scope > td > details").forEach(details => { details.open = true; });
    target.scrollIntoView();
  }
  boxes.forEach(({apply}) => apply());
  follow();
  addEventListener("hashchange", follow);

  // Paper cannot be unfolded.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll(".ledger-box details:not([open])")];
    folded.forEach(details => { details.open = true; });
  });
  addEventListener("afterprint", () => folded.forEach(details => { details.open = false; }));
})();
