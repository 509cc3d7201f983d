// The story by keyboard and in full screen. Without this file the page is read, and linked from step to step.
"use strict";
(() => {
  const root = document.documentElement;
  const steps = [...document.querySelectorAll(".step")];
  const presenting = () => root.classList.contains("presenting");
  let current = Math.max(0, steps.findIndex((s) => `#${s.id}` === location.hash));

  function show(index, focus = true) {
    current = Math.min(Math.max(index, 0), steps.length - 1);
    steps.forEach((s, i) => s.classList.toggle("current", i === current));
    history.replaceState(null, "", `#${steps[current].id}`);
    if (focus) {
      const calm = presenting() || matchMedia("(prefers-reduced-motion: reduce)").matches;
      steps[current].querySelector("h1, h2").focus({ preventScroll: true });
      steps[current].scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
    }
  }

  function present(on) {
    root.classList.toggle("presenting", on);
    show(current);
  }

  // The step most of the page shows is the one that arrows go on from.
  const observer = new IntersectionObserver((seen) => {
    for (const entry of seen) {
      if (entry.isIntersecting && !presenting()) current = steps.indexOf(entry.target);
    }
  }, { rootMargin: "-45% 0px -45% 0px" });
  steps.forEach((s) => observer.observe(s));

  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const moves = { ArrowRight: 1, ArrowLeft: -1 };
    // Who reads keeps the keys that turn a page; in full screen, the buttons of a presenter send them.
    if (presenting()) Object.assign(moves, { PageDown: 1, PageUp: -1 });
    if (event.key in moves) {
      // A table that scrolls sideways keeps its own arrows.
      if (event.target.closest(".scroll")) return;
      event.preventDefault();
      show(current + moves[event.key]);
    } else if (presenting() && event.key === "Home") {
      show(0);
    } else if (presenting() && event.key === "End") {
      show(steps.length - 1);
    } else if (presenting() && event.key === "Escape") {
      present(false);
    }
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#etape-"]');
    if (link) {
      event.preventDefault();
      show(steps.findIndex((s) => `#${s.id}` === link.getAttribute("href")));
    }
  });

  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement && presenting()) present(false);
  });

  for (const part of document.querySelectorAll("[data-story-actions]")) part.hidden = false;
  document.querySelector('[data-story="print"]').addEventListener("click", () => print());
  document.querySelector('[data-story="present"]').addEventListener("click", () => {
    present(true);
    // Where the browser refuses full screen the steps fill the window.
    root.requestFullscreen?.().catch(() => {});
  });
})();
