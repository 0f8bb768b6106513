// A face in a photo gets a name: an import of this one photo, with the face chosen, reviewed like any other.

import { withConsent } from "../consent.js";
import { t } from "../language.js";
import { post, remove, upload } from "../people/api.js";
import { heard } from "../server_words.js";

/** The server would rather not: the message says why, and whoever knows better may say so. */
export class NeedsWord extends Error {}

/** Enrol a face of a photo, or give it to whoever bears the name; `sure`: use it all the same; `consent`: why they may be recognised. */
export async function enrol({ file, path }, face, name, sure, consent) {
  const { id } = await post("/imports");
  try {
    const sent = await upload(`/imports/${id}/files?${new URLSearchParams({ name, file: path.split("/").at(-1) })}`, file, {});
    let [entry] = sent.files;
    const index = nearest(entry.faces, face.box);
    if (index === null) throw new Error(t("The face is not found again in this photo."));
    if (entry.face !== index) entry = await post(`/imports/${id}/files/${entry.id}`, { face: index });
    if (entry.verdict !== "used" && sure) entry = await post(`/imports/${id}/files/${entry.id}`, { accept: true });
    if (entry.verdict !== "used") throw new NeedsWord(heard(entry.words));
    await post(`/imports/${id}/commit`, withConsent({}, consent));
  } catch (error) {
    await remove(`/imports/${id}`).catch(() => null); // the server forgets drafts by itself
    throw error;
  }
}

/** Which of these boxes is at the same place, by overlap over union; `null` if none is. */
export function nearest(boxes, [x, y, width, height]) {
  let best = null;
  let most = 0.4;
  for (const [index, [left, top, w, h]] of boxes.entries()) {
    const across = Math.max(0, Math.min(x + width, left + w) - Math.max(x, left));
    const down = Math.max(0, Math.min(y + height, top + h) - Math.max(y, top));
    const overlap = (across * down) / (width * height + w * h - across * down);
    if (overlap > most) [best, most] = [index, overlap];
  }
  return best;
}
