// The dialog that asks for a token when the server wants one.

import { hasToken, installToken, keepToken } from "./api.js";

export function installTokenDialog() {
  const dialog = document.getElementById("token");
  const form = document.getElementById("token-form");
  const text = document.getElementById("token-text");
  const wrong = document.getElementById("token-wrong");
  const forget = document.getElementById("forget");
  // Nothing can be shown without one: the dialog stays.
  dialog.addEventListener("cancel", event => event.preventDefault());
  installToken(refused => new Promise(resolve => {
    keepToken("");
    forget.hidden = true;
    wrong.textContent = refused ? "The server does not accept this token." : "";
    text.value = "";
    form.onsubmit = event => {
      event.preventDefault();
      keepToken(text.value.trim());
      forget.hidden = false;
      dialog.close();
      resolve();
    };
    if (!dialog.open) dialog.showModal();
    text.focus();
  }));
  forget.hidden = !hasToken();
  forget.addEventListener("click", () => {
    keepToken("");
    location.reload();
  });
}
