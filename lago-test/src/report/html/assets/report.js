// The report reads without this. With it, the list can be filtered and searched, and the timeline magnified.
"use strict";

(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const scenarios = all(".entry");
  const stages = all(".stage");
  const filters = all("[data-filter]");
  const search = document.getElementById("search");
  const found = document.querySelector(".found");

  // A list of thousands is searched in its text as it was at the start, and only once somebody searches.
  let texts = null;
  const matching = (words) => {
    if (words.length === 0) return () => true;
    texts ??= new Map(scenarios.map((scenario) => [scenario, scenario.textContent.toLowerCase()]));
    return (scenario) => words.every((word) => texts.get(scenario).includes(word));
  };

  const apply = () => {
    const wanted = new Set(filters.filter(isPressed).map((button) => button.dataset.filter));
    const matches = matching(search.value.toLowerCase().split(/\s+/).filter(Boolean));
    let shown = 0;
    for (const scenario of scenarios) {
      const hit = (wanted.size === 0 || wanted.has(scenario.dataset.outcome)) && matches(scenario);
      scenario.hidden = !hit;
      shown += hit;
    }
    for (const stage of stages) {
      stage.hidden = !all(".entry", stage).some((scenario) => !scenario.hidden);
    }
    const filtered = wanted.size > 0 || search.value !== "";
    found.textContent = filtered ? `${shown} of ${scenarios.length} shown` : "";
  };

  const isPressed = (button) => button.getAttribute("aria-pressed") === "true";

  for (const button of filters) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(!isPressed(button)));
      apply();
    });
  }

  let pause = 0;
  search.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(apply, 150);
  });

  for (const button of all("[data-all]")) {
    button.addEventListener("click", () => {
      for (const scenario of scenarios) {
        if (!scenario.hidden && scenario.matches("details")) scenario.open = button.dataset.all === "open";
      }
    });
  }

  // What a link leads to is shown, opened and has the focus, whatever is filtered.
  const show = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    const target = id && document.getElementById(id);
    if (!target || !target.matches(".entry")) return;
    if (target.hidden) {
      for (const button of filters) button.setAttribute("aria-pressed", "false");
      search.value = "";
      apply();
    }
    if (target.matches("details")) target.open = true;
    (target.querySelector("summary") ?? target).focus({ preventScroll: true });
    target.scrollIntoView();
  };
  addEventListener("hashchange", show);
  // A link to where one has been already changes nothing, so nothing would tell.
  addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='#']");
    if (link && link.hash === location.hash) show();
  });

  const plot = document.querySelector(".plot");
  const chart = document.querySelector(".chart");
  const buttons = { in: document.querySelector("[data-zoom=in]"), out: document.querySelector("[data-zoom=out]") };
  let zoom = 1;
  const magnify = (factor) => {
    // What is in the middle stays there.
    const middle = (chart.scrollLeft + chart.clientWidth / 2) / plot.clientWidth;
    zoom = Math.min(64, Math.max(1, zoom * factor));
    plot.style.width = `${zoom * 100}%`;
    chart.scrollLeft = middle * plot.clientWidth - chart.clientWidth / 2;
    buttons.in.disabled = zoom === 64;
    buttons.out.disabled = zoom === 1;
    if (zoom > 1) {
      chart.tabIndex = 0;
      chart.setAttribute("role", "region");
      chart.setAttribute("aria-label", "Timeline");
    } else {
      chart.removeAttribute("tabindex");
      chart.removeAttribute("role");
      chart.removeAttribute("aria-label");
    }
  };
  buttons.in.addEventListener("click", () => magnify(2));
  buttons.out.addEventListener("click", () => magnify(0.5));

  chart.addEventListener("click", (event) => {
    const bar = event.target.closest("[data-target]");
    if (!bar) return;
    if (location.hash === `#${bar.dataset.target}`) show();
    else location.hash = bar.dataset.target;
  });

  for (const tool of all("[data-script]")) tool.hidden = false;
  show();
})();
