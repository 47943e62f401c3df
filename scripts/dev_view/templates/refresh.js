"use strict";
/* Renews the page's main part; whatever is unfolded stays so. Without it the page renews itself. */
const SECONDS = 3;
async function renew() {
  if (document.hidden || String(getSelection())) return;
  const answer = await fetch(location.href, {cache: "no-store"});
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const one of document.querySelectorAll("details")) {
    const same = page.getElementById(one.id);
    if (same) same.open = one.open;
  }
  const focused = document.activeElement && document.activeElement.id;
  document.querySelector("main").replaceWith(page.querySelector("main"));
  if (focused) document.getElementById(focused)?.focus({preventScroll: true});
  document.body.classList.remove("away");
}
setInterval(() => renew().catch(() => document.body.classList.add("away")), SECONDS * 1000);
