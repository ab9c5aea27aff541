// Keeps the changing part of a screen fresh while somebody looks, and tells the server the reader's zone.
"use strict";
(function () {
  const live = document.getElementById("live");
  const stale = document.getElementById("stale");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && /^[A-Za-z0-9_+\/-]{1,64}$/.test(zone)) {
    const had = document.cookie.split("; ").includes("zone=" + zone);
    document.cookie = "zone=" + zone + "; Path=/ui; SameSite=Lax; Max-Age=31536000";
    const has = document.cookie.split("; ").includes("zone=" + zone);
    // Once more, with times of that zone; but not what answers a form, nor a page that tells what was done: neither is
    // to be had again at its address.
    if (!had && has && live && live.dataset.seen && !document.querySelector(".told")) { location.reload(); return; }
  }

  function busy() {
    const at = document.activeElement;
    return Boolean(at && live.contains(at) && /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName));
  }

  function said(text) { if (stale) { stale.textContent = text; } }

  document.body.addEventListener("htmx:afterRequest", function (event) {
    const asked = event.detail.elt;
    if (!asked || !asked.dataset || !asked.dataset.failed || event.detail.successful) { return; }
    if (event.detail.xhr && event.detail.xhr.status === 401) { location.reload(); }
    document.getElementById(asked.dataset.failed).hidden = false;
    asked.removeAttribute("aria-busy");
  });
  if (!live || !live.dataset.every) { return; }

  // What a reader has opened stays open, and where the keyboard is and a table is scrolled to, when the part is replaced.
  const CONTROLS = "a[href],button,input,select,textarea,summary,[tabindex]";
  function keyOf(details) {
    const section = details.closest("section") || live;
    return section.getAttribute("aria-labelledby") + "/" + Array.from(section.querySelectorAll("details")).indexOf(details);
  }
  function nameOf(control) {
    if (control.tagName === "SUMMARY") { return "SUMMARY " + keyOf(control.parentElement); }
    const own = ["href", "name", "value", "aria-label", "aria-labelledby"].map(function (name) {
      return control.getAttribute(name) || "";
    });
    return control.tagName + " " + (own.join(" ").trim() || control.textContent.trim());
  }
  function called(name) {
    return Array.from(live.querySelectorAll(CONTROLS)).filter(function (control) { return nameOf(control) === name; });
  }
  let opened = [], scrolled = [], at = null;
  document.body.addEventListener("htmx:beforeSwap", function (event) {
    if (event.detail.target !== live) { return; }
    opened = Array.from(live.querySelectorAll("details[open]"), keyOf);
    scrolled = Array.from(live.querySelectorAll(".scroll"), function (each) { return each.scrollLeft; });
    const control = document.activeElement && document.activeElement.closest("#live :is(" + CONTROLS + ")");
    at = control ? { name: nameOf(control), place: called(nameOf(control)).indexOf(control) } : null;
  });
  document.body.addEventListener("htmx:afterSwap", function (event) {
    if (event.detail.target !== live) { return; }
    live.querySelectorAll("details").forEach(function (details) {
      if (opened.includes(keyOf(details))) { details.open = true; }
    });
    live.querySelectorAll(".scroll").forEach(function (each, place) { each.scrollLeft = scrolled[place] || 0; });
    if (!at) { return; }
    const same = called(at.name);  // of several the one at that place; where it is gone, Tab goes on from the content
    (same[Math.min(at.place, same.length - 1)] || document.getElementById("main")).focus({ preventScroll: true });
  });

  // One request in that time at the most, whatever becomes of the page meanwhile.
  const pause = Math.max(5, Number(live.dataset.every)) * 1000;
  let asked = performance.now(), timer = 0;
  function refresh() {
    if (document.visibilityState === "visible" && !busy() && window.htmx) {
      asked = performance.now();
      htmx.trigger(live, "refresh");
    }
    clearTimeout(timer);
    timer = setTimeout(refresh, pause);
  }
  timer = setTimeout(refresh, pause);
  document.addEventListener("visibilitychange", function () {
    if (document.visibilityState === "visible" && performance.now() - asked >= pause) { refresh(); }
  });
  document.body.addEventListener("htmx:configRequest", function (event) {
    event.detail.path = location.pathname + location.search;
    event.detail.headers["page-seen"] = live.dataset.seen || "";
  });
  document.body.addEventListener("htmx:afterRequest", function (event) {
    const status = event.detail.xhr ? event.detail.xhr.status : 0;
    const digest = event.detail.xhr && event.detail.xhr.getResponseHeader("page-seen");
    if (digest) { live.dataset.seen = digest; }
    if (status === 401) { location.reload(); }
    said(status === 200 || status === 204 ? "" : stale.dataset.text);
  });
})();
