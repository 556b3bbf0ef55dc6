// A classic script in <head>, run before the first paint: a stored choice must not flash the other theme.
// Without a choice the page follows prefers-color-scheme, which style.css does alone.
(() => {
  const root = document.documentElement;
  try {
    const stored = localStorage.getItem("sightline.theme");
    if (stored === "light" || stored === "dark") root.dataset.theme = stored;
  } catch {
    // Storage may be forbidden; the system's theme then stands.
  }

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const current = () => root.dataset.theme || (dark.matches ? "dark" : "light");

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const say = () => {
      const next = current() === "dark" ? "light" : "dark";
      button.setAttribute("aria-label", `Switch to ${next} theme`);
      button.title = `Switch to ${next} theme`;
      button.dataset.shows = current();
    };
    button.addEventListener("click", () => {
      root.dataset.theme = current() === "dark" ? "light" : "dark";
      try {
        localStorage.setItem("sightline.theme", root.dataset.theme);
      } catch {
        // The choice then lasts for this visit.
      }
      say();
    });
    dark.addEventListener("change", say);
    say();
  });
})();
