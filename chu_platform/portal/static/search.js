// Suggestions below a search field while somebody types; without this file the form leads to the same results.
"use strict";

const WAIT = 150;

for (const field of document.querySelectorAll("input[data-suggest]")) {
  const form = field.form;
  const list = document.createElement("div");
  list.className = "suggestions";
  list.hidden = true;
  form.append(list);
  let timer = 0;
  let asked = 0;

  const close = () => {
    asked += 1;
    list.hidden = true;
  };

  const suggest = async () => {
    const words = field.value.trim();
    if (words.length < 2) return close();
    const own = ++asked;
    try {
      const answer = await fetch(`/suggestions?${new URLSearchParams({ q: words })}`);
      const text = await answer.text();
      // A later word may have been answered first.
      if (own !== asked || !answer.ok) return;
      list.innerHTML = text;
      list.hidden = false;
    } catch {
      close();
    }
  };

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(suggest, WAIT);
  });

  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      close();
      field.focus();
      return;
    }
    if (list.hidden || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
    const stops = [field, ...list.querySelectorAll("a")];
    const at = stops.indexOf(document.activeElement);
    if (at < 0) return;
    event.preventDefault();
    const next = at + (event.key === "ArrowDown" ? 1 : -1);
    stops[Math.min(Math.max(next, 0), stops.length - 1)].focus();
  });

  form.addEventListener("focusout", (event) => {
    if (!form.contains(event.relatedTarget)) close();
  });
}
