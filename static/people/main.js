// The people page: its tabs, and what they share.

import { $ } from "../dom.js";
import { t } from "../language.js";
import { toast } from "../toast.js";
import { AddPhotos } from "./add.js";
import { get, post } from "./api.js";
import { PeopleTab } from "./people_tab.js";
import { Strangers } from "./strangers.js";
import { followAddress, go } from "./tabs.js";
import { Threshold } from "./threshold.js";

const panel = (tab) => $(`panel-${tab}`);

/** What every tab may use. */
const page = {
  go,
  say: (words, action = null) => toast(words, action),

  /** The people as they are now. */
  people: async () => (await get("/people")).people,

  /** Something was changed: say it, offer the way back, show it. `changes` are the server's, oldest first. */
  changed(words, changes) {
    toast(words, changes.length ? { label: t("Undo"), run: () => page.undo(changes) } : null);
    refresh();
  },

  /** Take changes back, the newest first. */
  async undo(changes) {
    try {
      for (const change of [...changes].reverse()) await post(`/changes/${change.id}/undo`);
      toast(t("Undone."));
    } catch (error) {
      toast(error.message);
    }
    refresh();
  },
};

const tabs = {
  people: new PeopleTab(panel("people"), page),
  add: new AddPhotos(panel("add"), page),
  strangers: new Strangers(panel("strangers"), page),
  threshold: new Threshold(panel("threshold"), page),
};
let current = null;
let rest = "";

const refresh = () => tabs[current].show(rest);

followAddress((tab, further) => {
  if (current && current !== tab) tabs[current].hide?.();
  const moved = current !== null && (current !== tab || rest !== further);
  [current, rest] = [tab, further];
  if (moved) scrollTo(0, 0);
  refresh();
});
