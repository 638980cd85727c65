// Runs before the first paint, so that a chosen theme does not flash. See src/app/theme.ts.
try {
  const theme = localStorage.getItem("mainstem.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // storage may be switched off; the system's theme is used then
}
