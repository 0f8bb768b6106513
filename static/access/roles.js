// What an account may be, in words.

import { t } from "../language.js";

export const ROLES = {
  owner: { words: t("Owner"), means: t("May do everything, and lets others in.") },
  host: { words: t("Host"), means: t("People, photos, videos, rooms and sightings; not accounts, keys, models, how long things are kept, and the audit log.") },
  viewer: { words: t("Viewer"), means: t("Looks at what hosts see, and changes nothing.") },
};

export const roleWords = (role) => ROLES[role]?.words ?? role;
