// Keeps the changing part of a screen fresh while somebody looks, and tells the server the reader's zone.
"use strict";
(function () {
  const live = document.getElementById("live");
  const stale = document.getElementById("stale");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && /^[A-Za-z0-9_+\/-]{1,64}$/.test(zone)) {
    const had = document.cookie.split("; ").includes("zone=" + zone);
    document.cookie = "zone=" + zone + "; Path=/ui; SameSite=Lax; Max-Age=31536000";
    if (!had && document.cookie.split("; ").includes("zone=" + zone)) { location.replace(location.href); return; }
  }

  function busy() {
    const at = document.activeElement;
    return Boolean(live && (live.querySelector("dialog[open]") ||
      (at && live.contains(at) && /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName))));
  }

  function refresh() {
    if (live && live.hasAttribute("hx-get") && document.visibilityState === "visible" && !busy() && window.htmx) {
      htmx.trigger(live, "refresh");
    }
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

  // What a reader has opened stays open, and where the keyboard is, when the part is replaced.
  function keyOf(details) {
    const section = details.closest("section") || live;
    return section.getAttribute("aria-labelledby") + "/" + Array.from(section.querySelectorAll("details")).indexOf(details);
  }
  let opened = [], at = null;
  document.body.addEventListener("htmx:beforeSwap", function (event) {
    if (event.detail.target !== live) { return; }
    opened = Array.from(live.querySelectorAll("details[open]"), keyOf);
    const summary = document.activeElement && document.activeElement.closest("#live summary");
    at = summary ? keyOf(summary.parentElement) : null;
  });
  document.body.addEventListener("htmx:afterSwap", function (event) {
    if (event.detail.target !== live) { return; }
    live.querySelectorAll("details").forEach(function (details) {
      const key = keyOf(details);
      if (opened.includes(key)) { details.open = true; }
      if (key === at) { details.querySelector("summary").focus({ preventScroll: true }); }
    });
  });
  setInterval(refresh, Math.max(5, Number(live.dataset.every)) * 1000);
  document.addEventListener("visibilitychange", refresh);
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
