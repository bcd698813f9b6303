// Before anything is drawn: light, dark, or as the system says. A plain script, as modules come later.
document.documentElement.dataset.theme = localStorage.getItem("autoprune-theme") ?? "system";
