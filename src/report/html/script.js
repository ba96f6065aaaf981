"use strict";
// Picks two kernels of a scenario to stand side by side. Without it the page shows all trails.
for (const article of document.querySelectorAll("article")) {
  const form = article.querySelector(".compare");
  if (!form) continue;
  const [left, right] = form.querySelectorAll("select");
  const letter = (select) => select.selectedOptions[0].dataset.letter;
  const behaviours = [...article.querySelectorAll(".behaviour")];
  const parent = behaviours[0].parentNode;
  const show = () => {
    const [from, to] = [letter(left), letter(right)];
    for (const behaviour of behaviours) {
      const own = behaviour.dataset.letter;
      behaviour.hidden = own !== from && own !== to;
      if (own === from) parent.prepend(behaviour);
    }
    for (const pair of article.querySelectorAll(".pair")) {
      pair.hidden = pair.dataset.pair !== `${from} ${to}`;
    }
  };
  const select = (list, test) => {
    const index = [...list.options].findIndex(test);
    if (index >= 0) list.selectedIndex = index;
  };
  form.hidden = false;
  form.addEventListener("change", show);
  // At first: the newest kernel, and the last one before it that behaves otherwise.
  right.selectedIndex = right.options.length - 1;
  const others = [...left.options].filter((option) => option.dataset.letter !== letter(right));
  select(left, (option) => option === others[others.length - 1]);
  show();
  for (const link of document.querySelectorAll(`a[data-kernel][href="#${article.id}"]`)) {
    link.addEventListener("click", () => {
      select(right, (option) => option.text === link.dataset.kernel);
      const before = [...left.options].slice(0, right.selectedIndex).reverse();
      const other = before.find((option) => option.dataset.letter !== letter(right))
        || [...left.options].find((option) => option.dataset.letter !== letter(right));
      select(left, (option) => option === other);
      show();
    });
  }
}
