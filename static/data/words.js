// What the Data page calls things: kinds of data, how long each is kept, what the audit log notes. No document.

import { number } from "../figures.js";
import { t, tn } from "../language.js";

/** The kinds in groups, in the order they are shown: {id: [name, what it is]}. */
export const GROUPS = [
  [
    t("People who are known"),
    {
      people: [t("People"), t("Names, and the rooms they are known in.")],
      samples: [t("Numbers of faces"), t("What the models computed from each picture, to know the face again.")],
      crops: [t("Pictures of faces"), t("A small picture beside each of these, where that is switched on.")],
      consents: [t("Consents"), t("Why each may be recognised, until when, and who wrote that down.")],
      negatives: [t("“This is not them”"), t("Numbers of faces that were said to be somebody else’s.")],
      changes: [t("Changes that can be undone"), t("What was renamed, moved or removed, with the way back.")],
    },
  ],
  [
    t("Who was seen"),
    {
      strangers: [t("Strangers"), t("Faces nobody has named: numbers, one small picture, and when they were seen.")],
      sightings: [t("Sightings"), t("Who was before which camera, from when to when.")],
      sighting_crops: [t("Pictures of sightings"), t("The best look of each, where that is switched on.")],
      events: [t("Events"), t("Who came and went, for programs that listen.")],
      webhooks: [t("Webhooks"), t("Addresses that are told of events, and what waits for them.")],
    },
  ],
  [
    t("Photos and videos"),
    {
      films: [t("Videos"), t("Films that were sent here.")],
      video_results: [t("What was found in videos"), t("Faces followed through a film: when, numbers, and pictures of the best looks.")],
      drafts: [t("Photos that are being looked through"), t("Imports and groups that nobody has saved yet.")],
      evaluation: [t("Pictures to measure with"), t("Sent to the page that measures how well recognition works.")],
      live: [t("Live sessions"), t("The faces before a camera now. No picture of it is stored.")],
    },
  ],
  [
    t("Records"),
    {
      audit: [t("Audit log"), t("Who saw or changed what, and when. No name is in it.")],
      receipts: [t("Receipts"), t("What was erased when somebody was forgotten. No name is in them.")],
      logs: [t("Log of the program"), t("It goes to the terminal and names nobody.")],
    },
  ],
  [
    t("Of the server itself"),
    {
      accounts: [t("Accounts"), t("Names and roles of who may sign in; of a password a hash, of a passkey its public half.")],
      signed_in: [t("Browsers that are signed in"), t("Of what lets each in a hash; which browser, and when it was used.")],
      one_time_links: [t("Links that work once"), t("Of each a hash.")],
      keys: [t("Keys of programs"), t("Their names and what each may do; of the key itself a hash.")],
      links: [t("Links and invitations"), t("What each lets in, and of each device that came by it a hash.")],
      rooms: [t("Rooms"), t("Their names, and what is shown of faces there.")],
      sources: [t("Cameras that are fetched"), t("Their addresses, with passwords, sealed.")],
      choices: [t("Choices"), t("How sure recognition has to be, and which models are used.")],
      vault: [t("Keys that seal all of this"), t("A key for each person, wrapped with the master key. Without them nothing here can be read.")],
      secrets: [t("Keys and certificates"), t("What this server signs and is trusted by.")],
      bookkeeping: [t("Time and lock"), t("What time the server believed last, and who has the folder open.")],
    },
  ],
];

/** How long a kind is kept, in words. */
export function kept({ rule, amount }) {
  switch (rule) {
    case "forgotten":
      return t("until the person is forgotten");
    case "days":
      return amount === 0 ? t("until somebody deletes it") : tn(amount, "{count} day ## how long something is kept", "{count} days ## how long something is kept");
    case "deleted":
      return t("until somebody deletes it");
    case "revoked":
      return t("until it is revoked or over");
    case "minutes":
      return tn(amount, "in memory, for {count} minute after the last use", "in memory, for {count} minutes after the last use");
    case "session":
      return t("in memory, until the camera stops");
    case "measured":
      return t("until the measurement is done");
    case "kept":
      return t("for good");
    default:
      return t("nothing is kept");
  }
}

/** Bytes as people say them; nothing for nothing. */
export function size(bytes) {
  if (!bytes) return "";
  const units = [t("bytes"), t("kB ## a thousand bytes"), t("MB ## a million bytes"), t("GB ## a thousand million bytes"), t("TB ## a million million bytes")];
  const step = Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** step;
  return `${number(value, step && value < 10 ? 1 : 0)}\u00a0${units[step]}`;
}

/** What was erased: {what: [one, other]} of a receipt. */
const ERASED = {
  samples: (count) => tn(count, "{count} set of numbers of the face", "{count} sets of numbers of the face"),
  crops: (count) => tn(count, "{count} picture of the face", "{count} pictures of the face"),
  negatives: (count) => tn(count, "{count} mark “this is not them”", "{count} marks “this is not them”"),
  consents: (count) => tn(count, "{count} record of why they may be recognised", "{count} records of why they may be recognised"),
  changes: (count) => tn(count, "{count} change that could be undone", "{count} changes that could be undone"),
  sightings: (count) => tn(count, "{count} sighting", "{count} sightings"),
  "sighting crops": (count) => tn(count, "{count} picture of a sighting", "{count} pictures of sightings"),
  "unnamed sightings": (count) => tn(count, "{count} sighting as somebody unknown", "{count} sightings as somebody unknown"),
  events: (count) => tn(count, "{count} event", "{count} events"),
  deliveries: (count) => tn(count, "{count} event that waited for a program", "{count} events that waited for programs"),
  strangers: (count) => tn(count, "{count} entry among strangers", "{count} entries among strangers"),
  "video tracks": (count) => tn(count, "{count} appearance in a video", "{count} appearances in videos"),
  "video pictures": (count) => tn(count, "{count} picture from a video", "{count} pictures from videos"),
  films: (count) => tn(count, "{count} whole video", "{count} whole videos"),
  "live tracks": (count) => tn(count, "{count} face before a camera", "{count} faces before cameras"),
  "known to one visit": (count) => tn(count, "{count} name known to one visit", "{count} names known to one visit"),
  "faces in imports": (count) => tn(count, "{count} face in an import", "{count} faces in imports"),
  "faces in albums": (count) => tn(count, "{count} face in a group", "{count} faces in groups"),
};
export const erased = ({ what, count }) => ERASED[what]?.(count) ?? `${number(count)} ${what}`;

const REMAINS = {
  backups: t("Copies of the data folder that were made elsewhere, until they are deleted"),
  exports: t("Files that somebody saved from here before, until they are deleted"),
  pages: t("Pages open in browsers that show this person, until they are loaded again"),
};

/** What may remain, in a sentence; `until` may be a time, said by `moment`. */
export function remaining({ what, where, until }, moment) {
  const time = /^\d{4}-\d\d-\d\dT/.test(until) ? moment(until) : null;
  const [, video] = /^video ((?:[0-9a-f]{6}~)?[0-9a-f]{32})$/.exec(where) ?? [];
  if (what === "film" && video) return time ? t("The film of video {id}, until {time}", { id: video.slice(0, 8), time }) : t("The film of video {id}, until it is deleted", { id: video.slice(0, 8) });
  if (what.startsWith("film that") && video) return time ? t("The film of video {id}, which is not looked through yet, until {time}", { id: video.slice(0, 8), time }) : t("The film of video {id}, which is not looked through yet, until it is deleted", { id: video.slice(0, 8) });
  if (what === "events") return t("What a webhook’s receiver was told before, for as long as it keeps that");
  if (what.startsWith("sightings of people unknown")) return t("Sightings of people unknown without a picture, of which nothing tells whose they are, until they are too old");
  if (what.startsWith("faces not compared")) return t("Strangers and videos could not be compared: the models in use have read nothing of this person");
  return REMAINS[what] ?? `${what}, ${where}, ${until}`;
}

/** What can stand in the audit log, in groups; "person." means all that begin so. */
export const ACTIONS = {
  "log.began": t("The log began"),
  "log.resealed": t("The log was signed anew"),
  "log.pruned": t("The oldest rows were erased"),
  "access.refused": t("Was refused"),
  "access.joined": t("Came by a link"),
  "access.owned": t("Signed in by a link that works once"),
  "access.signed_in": t("Signed in"),
  "access.signed_out": t("Signed out"),
  "access.password_changed": t("Changed the own password"),
  "access.passkey_added": t("Added a passkey"),
  "access.passkey_removed": t("Removed a passkey"),
  "access.session_ended": t("Signed a browser out"),
  "access.reset": t("Signed everybody out"),
  "account.viewed": t("Looked at the accounts"),
  "account.made": t("Made an account"),
  "account.changed": t("Changed an account"),
  "account.removed": t("Deleted an account"),
  "link.made": t("Made a link"),
  "link.revoked": t("Revoked a link"),
  "people.listed": t("Looked at everybody"),
  "people.exported": t("Exported everybody"),
  "person.viewed": t("Looked at a person"),
  "person.pictured": t("Looked at a person’s picture"),
  "person.exported": t("Exported everything about a person"),
  "person.enrolled": t("Enrolled a person"),
  "person.added": t("Added pictures to a person"),
  "person.changed": t("Changed a person’s name or room"),
  "person.removed": t("Removed a person for now"),
  "person.merged": t("Merged people"),
  "person.split": t("Split a person"),
  "person.forgotten": t("Forgot a person for good"),
  "consent.recorded": t("Recorded a consent"),
  "consent.withdrawn": t("Withdrew a consent"),
  "sample.moved": t("Moved a picture"),
  "sample.removed": t("Removed a picture"),
  "negative.added": t("Said who a face is not"),
  "negative.removed": t("Took such a mark away"),
  "changes.viewed": t("Looked at recent changes"),
  "change.undone": t("Undid a change"),
  "import.viewed": t("Looked at an import"),
  "import.filled": t("Added photos to an import"),
  "import.discarded": t("Let an import go"),
  "album.viewed": t("Looked at groups of photos"),
  "album.pictured": t("Looked at a face in groups"),
  "album.filled": t("Added photos to be grouped"),
  "album.discarded": t("Let groups go"),
  "inbox.viewed": t("Looked at strangers"),
  "inbox.emptied": t("Forgot every stranger"),
  "stranger.pictured": t("Looked at a stranger’s picture"),
  "stranger.named": t("Named a stranger"),
  "stranger.forgotten": t("Forgot a stranger"),
  "sightings.viewed": t("Looked at sightings"),
  "sightings.exported": t("Exported sightings"),
  "sightings.erased": t("Erased every sighting"),
  "sighting.pictured": t("Looked at a sighting’s picture"),
  "sighting.erased": t("Erased a sighting"),
  "attendance.viewed": t("Looked at who was there"),
  "attendance.exported": t("Exported who was there"),
  "events.followed": t("Followed events"),
  "webhook.added": t("Added a webhook"),
  "webhook.removed": t("Removed a webhook"),
  "webhook.retried": t("Sent events to a webhook again"),
  "webhook.viewed": t("Looked at events that did not arrive"),
  "live.listed": t("Looked at the live sessions"),
  "live.viewed": t("Looked at a live session"),
  "live.asked": t("Asked why a face has its name"),
  "live.forgotten": t("Let go of a name known to one visit"),
  "camera.began": t("Started a camera"),
  "camera.ended": t("Ended a camera"),
  "camera.changed": t("Renamed or paused a camera"),
  "camera.watched": t("Watched a camera"),
  "photo.recognised": t("Recognised people in a photo"),
  "videos.listed": t("Looked at the list of videos"),
  "video.received": t("Sent a video"),
  "video.viewed": t("Looked at who is in a video"),
  "video.played": t("Played a video"),
  "video.pictured": t("Looked at pictures from a video"),
  "video.exported": t("Exported who is in a video"),
  "video.named": t("Named somebody in a video"),
  "video.erased": t("Erased a video"),
  "evaluation.filled": t("Sent pictures to measure with"),
  "evaluation.viewed": t("Looked at a measurement"),
  "evaluation.discarded": t("Let a measurement go"),
  "key.made": t("Made a key"),
  "key.revoked": t("Revoked a key"),
  "room.opened": t("Opened a room"),
  "room.changed": t("Changed the consent mode of a room"),
  "room.closed": t("Closed a room"),
  "room.viewed": t("Looked at a room"),
  "invitation.made": t("Invited somebody"),
  "invitation.revoked": t("Revoked an invitation"),
  "source.added": t("Let a camera be fetched"),
  "source.removed": t("Let a camera be fetched no more"),
  "reading.changed": t("Changed what is read of faces"),
  "threshold.changed": t("Changed how sure recognition has to be"),
  "models.changed": t("Changed the models"),
  "master_key.changed": t("Exchanged the master key"),
  "people.rekeyed": t("Sealed everybody anew"),
  "backup.made": t("Made a backup"),
  "backup.restored": t("Put a backup back"),
  "data.viewed": t("Looked at what is held"),
  "audit.viewed": t("Looked at the audit log"),
  "receipt.viewed": t("Looked at receipts"),
  "retention.erased": t("Erased what was too old"),
};
export const action = (name) => ACTIONS[name] ?? name;

/** What to choose from in the log: [value, words]. */
export const CHOICES = [
  ["", t("Everything")],
  ["person.", t("About people")],
  ["person.forgotten", t("Only forgetting")],
  ["person.exported", t("Only exports of a person")],
  ["stranger.", t("About strangers")],
  ["sightings.", t("About sightings")],
  ["video.", t("About videos")],
  ["consent.", t("About consents")],
  ["access.", t("Coming in and signing in")],
  ["access.refused", t("Refused")],
  ["account.", t("About accounts")],
  ["retention.erased", t("Erased by age")],
  ["log.", t("The log itself")],
];

const BY = { account: t("Account {id}"), link: t("Link {id}"), key: t("Key {id}") };

/** Who did it. */
export function actor(name) {
  const [by, id] = name.split(":");
  if (id) return (BY[by] ?? by).replace("{id}", id);
  return { local: t("This computer"), nobody: t("Nobody who was let in"), server: t("The server"), "command line": t("The command line") }[name] ?? name;
}
