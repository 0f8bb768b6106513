"""Rooms and their walls in a real browser: cameras live with names, what a host does, and all that goes wrong."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.accessibility import in_reach
from tests.browser.room_standin import Camera, RoomStandin, kitchen, standing_in
from tests.browser.test_languages import LEFT, pseudo

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
VIEWS = {"small": (320, 640), "phone": (360, 740), "desktop": (1280, 800)}
WATCHED = """() => { const all = Object.values(visavisRoom.cameras);
  return all.length > 0 && all.every(c => c.frames > 5 && c.results.length > 5 && c.exact); }"""


@pytest.fixture
def room() -> Iterator[RoomStandin]:
    with standing_in() as room:
        yield room


Opens = Callable[..., Any]


@pytest.fixture
def opened(browser: Any, room: RoomStandin) -> Iterator[Opens]:
    """Opens pages, and looks in the end that nothing went wrong in them."""
    pages: list[tuple[Any, list[str]]] = []

    def open_page(size: str = "desktop", scheme: str = "light", path: str = "/room/kitchen", **more: Any) -> Any:
        width, height = VIEWS[size]
        said = more.pop("said", None)
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **more)
        if said is not None:
            context.route("**/languages/*.json", lambda route: route.fulfill(json=said))
        page = context.new_page()
        page.set_default_timeout(40_000)
        problems: list[str] = []
        pages.append((page, problems))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: "Content Security" in line.text and problems.append(line.text))
        page.goto(f"{room.url}{path}")
        return page

    yield open_page
    for page, problems in pages:
        assert problems == []
        page.context.close()


def shot(page: Any, name: str) -> None:
    """Where somebody wants to look at the page: a picture of it."""
    if target := os.environ.get("TEST_PICTURES"):
        page.screenshot(path=f"{target}/{name}.png")


def watched(page: Any) -> None:
    page.wait_for_selector(".camera")
    page.wait_for_function(WATCHED, timeout=20_000)


def until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def names(page: Any, selector: str) -> list[str]:
    return [str(text) for text in page.locator(selector).all_inner_texts()]


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("desktop", "light")])
def test_a_wall_shows_every_camera_with_the_names_over_its_frames(
    room: RoomStandin, opened: Opens, size: str, scheme: str
) -> None:
    kitchen(room)
    page = opened(size, scheme)
    watched(page)
    faces = page.evaluate("() => Object.values(visavisRoom.cameras).map(c => c.faces.map(face => face.label))")
    assert faces == [["Ada 98\u00a0%", "Unknown 1"], ["Perhaps Bob?", "Ada 98\u00a0%"]]
    page.wait_for_function("() => visavisRoom.cameras.one.glass !== null")
    assert 0 <= page.evaluate("visavisRoom.cameras.one.glass") < 3000
    assert names(page, ".camera .name") == ["Door", "Camera 2"]
    assert names(page, ".camera .state") == ["Live", "Live"]
    page.wait_for_function(
        "() => document.querySelector('.camera .visually-hidden').textContent === "
        "'In the picture: Ada and an unknown face.'"
    )
    page.wait_for_function(
        "() => document.querySelector('#status').textContent === 'Here: Ada, Perhaps Bob and Unknown 1.'"
    )
    assert page.inner_text("#here-button") == "3 here"
    in_reach(page)
    shot(page, f"wall-{size}")
    if size == "phone":
        assert not page.is_visible("#panel")
        page.click("#here-button")
    assert names(page, "#here-list .name") == ["Ada", "Perhaps Bob", "Unknown 1"]
    assert page.inner_text("#here-list li >> nth=0").splitlines()[2].startswith("in Door and Camera 2 · since ")
    in_reach(page)
    room.present.pop(0)
    room.sees("u:2", "?", ("two", 2))
    room.tell()
    page.wait_for_function("() => document.querySelector('#here-list')?.textContent.includes('Unknown 2')")
    assert names(page, "#here-list .name") == ["Perhaps Bob", "Unknown 1", "Unknown 2"]


def test_boxes_lie_on_the_face_of_the_frame_that_is_shown(room: RoomStandin, opened: Opens) -> None:
    """The clock's offset crosses 2³² and the picture sways: what is drawn belongs to the shown frame's timestamp."""
    room.add("one", Camera("Door", 1, ("Ada",), offset=2**32 - 90_000))
    page = opened()
    watched(page)
    off = page.evaluate(
        """async () => {
      const camera = visavisRoom.cameras.one, found = [];
      for (let i = 0; i < 90; i++) {
        await new Promise(requestAnimationFrame);
        const width = document.querySelector('.picture').clientWidth;
        const result = camera.results.find(({ timestamp }) => timestamp === camera.shown.at(-1).rtp);
        if (result && camera.faces[0]) found.push(Math.abs(camera.faces[0].box[0] / width - result.faces[0].box[0]));
      }
      return found.sort((a, b) => a - b);
    }"""
    )
    assert len(off) > 30
    assert off[len(off) // 2] < 0.001  # the face moves by up to 0.004 of the picture's width from frame to frame
    page.wait_for_function("() => visavisRoom.cameras.one.glass !== null")  # a shown frame and a result met exactly


def test_without_a_clock_the_newest_result_is_drawn(room: RoomStandin, opened: Opens) -> None:
    room.add("one", Camera("Door", 1, ("Ada",), clocks=False))
    page = opened()
    page.wait_for_function("() => visavisRoom.cameras.one?.faces.length === 1 && visavisRoom.cameras.one.frames > 5")
    assert page.evaluate("[visavisRoom.cameras.one.exact, visavisRoom.cameras.one.glass]") == [False, None]


def test_a_camera_is_made_large_by_click_and_keys(room: RoomStandin, opened: Opens) -> None:
    kitchen(room)
    page = opened("desktop", "dark")
    watched(page)
    small = page.locator(".picture").first.bounding_box()
    page.get_by_role("button", name="Door: make large").click()
    page.wait_for_selector(".camera.large")
    assert page.locator(".camera:visible").count() == 1
    assert page.locator(".camera.large .picture").bounding_box()["width"] > 1.5 * small["width"]
    page.wait_for_function("() => document.querySelector('.large .facts').textContent.startsWith('640 × 480 · VP8')")
    in_reach(page)
    until(lambda: list(room.watching.values()) == ["one"])  # the other costs nothing meanwhile
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".camera.large[data-camera=two]")
    assert page.evaluate("document.activeElement.ariaLabel") == "Camera 2: show all cameras"
    page.keyboard.press("Escape")
    page.wait_for_function("() => !document.querySelector('.camera.large')")
    assert page.locator(".camera:visible").count() == 2
    page.keyboard.press("Enter")
    page.wait_for_selector(".camera.large[data-camera=two]")
    page.keyboard.press("Enter")
    page.keyboard.press("?")
    in_reach(page)


@pytest.mark.parametrize(("size", "scheme"), [("small", "light"), ("desktop", "dark")])
def test_a_host_renames_pauses_and_ends_a_camera(room: RoomStandin, opened: Opens, size: str, scheme: str) -> None:
    kitchen(room)
    page = opened(size, scheme)
    watched(page)
    menu = page.get_by_role("button", name="Door: rename, pause or end")
    menu.click()
    in_reach(page)
    page.get_by_role("button", name="Rename", exact=True).click()
    in_reach(page)
    page.keyboard.press("Escape")
    assert names(page, ".camera .name >> nth=0") == ["Door"]
    menu.click()
    page.get_by_role("button", name="Rename", exact=True).click()
    page.keyboard.type("Front door")
    page.keyboard.press("Enter")
    page.wait_for_selector(".camera .name >> text=Front door")
    assert room.asked[-1] == ("PATCH /rooms/kitchen/cameras/one", {"name": "Front door"})

    page.get_by_role("button", name="Front door: rename, pause or end").click()
    page.get_by_role("button", name="Pause recognition").click()
    page.wait_for_selector(".camera >> nth=0 >> text=Recognition is paused")
    assert room.asked[-1] == ("PATCH /rooms/kitchen/cameras/one", {"recognising": False})
    page.wait_for_function("() => visavisRoom.cameras.one.faces.length === 0")
    in_reach(page)
    page.get_by_role("button", name="Front door: rename, pause or end").click()
    page.get_by_role("button", name="Recognise again").click()
    page.wait_for_function("() => visavisRoom.cameras.one.faces.length === 2")

    page.get_by_role("button", name="Front door: rename, pause or end").click()
    page.get_by_role("button", name="End this camera").click()
    page.click("#ask-no")
    assert len(room.cameras) == 2
    page.get_by_role("button", name="Front door: rename, pause or end").click()
    page.get_by_role("button", name="End this camera").click()
    in_reach(page)
    page.click("#ask-yes")
    page.wait_for_function("() => document.querySelectorAll('.camera').length === 1")
    assert room.asked[-1] == ("DELETE /rooms/kitchen/cameras/one", None)


@pytest.mark.parametrize(("size", "scheme"), [("phone", "light"), ("desktop", "dark")])
def test_a_host_invites_and_revokes(room: RoomStandin, opened: Opens, size: str, scheme: str) -> None:
    kitchen(room)
    page = opened(size, scheme)
    watched(page)
    page.click("#invite")
    in_reach(page)
    page.check("input[value=viewer]")
    page.select_option("dialog[open] select", label="7 days")
    page.fill("dialog[open] input[maxlength]", "Anna")
    page.fill("dialog[open] input[type=number]", "0")
    page.get_by_role("button", name="Make a link").click()
    assert not [question for question, _ in room.asked if "invitations" in question]  # for no device: no link
    page.fill("dialog[open] input[type=number]", "2")
    page.get_by_role("button", name="Make a link").click()
    page.wait_for_function("() => document.querySelector('dialog[open] img')?.naturalWidth > 0")
    assert room.asked[-1][1] == {"role": "viewer", "minutes": 10_080, "label": "Anna", "devices": 2}
    assert page.input_value("dialog[open] input").startswith("https://testhost:8443/")
    in_reach(page)
    shot(page, f"link-{size}")
    page.get_by_role("button", name="Copy the link").click()
    page.wait_for_selector("dialog[open] [role=status]:has-text('cop')")
    page.get_by_role("button", name="Done").click()

    if size == "phone":
        page.click("#here-button")
    page.click("#tab-invited")
    page.wait_for_selector("#invited .name >> text=Anna")
    assert "A viewer · until " in page.inner_text("#invited li")
    assert " · for 2 devices · " in page.inner_text("#invited li")
    in_reach(page)
    page.get_by_role("button", name="Revoke: Anna").click()
    page.click("#ask-yes")
    page.wait_for_selector("#invited >> text=No link is out.")
    assert room.asked[-1][0] == "DELETE /rooms/kitchen/invitations/i0"
    room.lan = False
    page.get_by_role("button", name="Invite…").click()
    page.get_by_role("button", name="Make a link").click()
    page.wait_for_selector("text=This server is not open to other devices. Start it without --no-lan.")


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_a_host_adds_a_network_camera_and_closes_the_room(room: RoomStandin, opened: Opens, size: str) -> None:
    kitchen(room)
    page = opened(size)
    watched(page)
    if size == "phone":
        page.click("#here-button")
    page.click("#tab-room")
    page.fill("#room input[inputmode=url]", "ftp://nowhere")
    page.get_by_role("button", name="Add this camera").click()
    page.wait_for_selector("text=This is no address of a camera.")
    page.fill("#room input[inputmode=url]", "rtsp://yard/stream")
    page.fill("#room form input >> nth=1", "Yard")
    page.get_by_role("button", name="Add this camera").click()
    page.wait_for_selector("#room .lines >> text=Connecting")
    room.sources[0] |= {"state": "retrying", "reason": "The camera does not answer.", "retry_in": 7.2}
    page.wait_for_selector("#room .lines >> text=Trying again · next try in 8 s", timeout=10_000)
    in_reach(page)
    shot(page, f"room-{size}")
    page.get_by_role("button", name="Remove: Yard").click()
    page.click("#ask-yes")
    page.wait_for_selector("#room >> text=The server can fetch pictures")
    assert page.get_attribute("#room a", "href") == "/?room=kitchen"
    page.get_by_role("button", name="Close this room…").click()
    in_reach(page)
    page.click("#ask-yes")
    page.wait_for_selector("text=This room is closed")
    in_reach(page)
    assert room.asked[-1][0] == "DELETE /rooms/kitchen"
    until(lambda: not room.watching)
    page.get_by_role("button", name="Open it again").click()
    watched(page)


def test_a_viewer_watches_and_changes_nothing(room: RoomStandin, opened: Opens) -> None:
    kitchen(room)
    room.role = "viewer"
    page = opened()
    watched(page)
    for hidden in ("#invite", "#tabs", "#rooms", "#panel nav", ".host-menu >> nth=0"):
        assert not page.is_visible(hidden), hidden
    assert page.is_visible("#here-title")
    in_reach(page)
    room.role, room.by_link = "host", True
    room.tell()
    page.wait_for_selector("#tabs:not([hidden])")
    assert page.is_visible("#invite")
    page.click("#tab-room")
    for hidden in ("#rooms", "#panel nav", "text=Network cameras"):  # other pages are closed to who came by a link
        assert not page.is_visible(hidden), hidden
    room.role = "viewer"
    room.tell()
    page.wait_for_selector("#tabs", state="hidden")
    room.close_room()
    page.wait_for_selector("text=This room is closed")
    assert not page.is_visible("text=Open it again")
    room.is_open = True
    page.get_by_role("button", name="Try again").click()
    watched(page)


def test_what_cannot_be_shown_is_said_in_its_tile(room: RoomStandin, opened: Opens) -> None:
    kitchen(room)
    room.add("three", Camera("H.264", 0, ("?",), refusal=(406, "No codec in common.", {})))
    room.add("four", Camera("Crowd", 0, ("?",), refusal=(503, "The server is full.", {"Retry-After": "2"})))
    room.states["one"]["state"] = "silent"
    room.add("five", Camera("Gate", 0, ("?",)), state="retrying", way="source")
    page = opened("desktop", "dark")
    page.wait_for_selector("[data-camera=one] .over >> text=No picture has come for two seconds.")
    page.wait_for_selector("[data-camera=three] .over >> text=This browser cannot show this camera's video.")
    page.wait_for_selector("[data-camera=four] .over >> text=The server is full.")
    page.wait_for_selector("[data-camera=five] .over >> text=It is tried again.")
    assert not page.is_visible("[data-camera=three] .over button")
    in_reach(page)
    shot(page, "states")
    room.cameras["four"].refusal = None
    page.wait_for_function("() => visavisRoom.cameras.four?.frames > 5", timeout=15_000)
    assert room.watched.count("three") == 1
    assert "five" not in room.watched
    room.say("two", type="bye", reason="codec changed")
    until(lambda: room.watched.count("two") == 2)
    until(lambda: any(channel.readyState == "open" for channel in room.cameras["two"].channels))
    room.say("two", type="bye", reason="camera ended")
    page.wait_for_selector("[data-camera=two] .over >> text=This camera has ended.")
    page.click("[data-camera=two] .over button")
    page.wait_for_function("() => document.querySelector('[data-camera=two] .over').hidden")


def test_cameras_out_of_sight_are_not_watched(room: RoomStandin, opened: Opens) -> None:
    for number in range(6):
        room.add(f"c{number}", Camera(f"Camera {number}", 0, ("?",), size=(320, 240)))
    page = opened("phone")
    page.wait_for_function("() => visavisRoom.cameras.c0?.frames > 5")
    assert "c5" not in room.watched
    page.evaluate("document.querySelector('#wall').scrollTo(0, 9999)")
    page.wait_for_function("() => visavisRoom.cameras.c5?.frames > 5")
    until(lambda: "c0" not in room.watching.values())
    page.evaluate("document.querySelector('#wall').scrollTo(0, 0)")
    page.wait_for_function("() => visavisRoom.cameras.c0?.firstFrameAt !== null")
    page.goto("about:blank")
    until(lambda: not room.watching)


def test_the_wall_comes_back_by_itself_and_says_why_it_cannot(room: RoomStandin, opened: Opens) -> None:
    kitchen(room)
    page = opened()
    watched(page)
    room.refusal = (503, "Too many look at this room.")
    room.hang_up()
    page.wait_for_selector("#banner >> text=Too many look at this room.")
    in_reach(page)
    room.refusal = None
    page.wait_for_function("() => document.querySelector('#banner').hidden")
    room.close_room()
    room.is_open = True  # a server that goes away says so as well, and the room is there when it is back
    page.wait_for_timeout(1000)
    assert page.is_visible("#panel")
    assert not page.is_visible("text=This room is closed")
    assert page.evaluate("Object.values(visavisRoom.cameras).every(c => c.frames > 5)")
    room.close_room()
    page.wait_for_selector("text=This room is closed")
    assert not page.is_visible("#panel")
    for status, words in ((403, "This link does not open the wall"), (401, "This device has not joined")):
        room.refusal = (status, "Ask the host.")
        page.reload()
        page.wait_for_selector(f"text={words}")
        assert page.is_visible("text=Ask the host.")
        in_reach(page)
    room.refusal = None
    page.reload()
    page.wait_for_selector("text=Room kitchen is not open")
    page.get_by_role("button", name="Open this room").click()
    watched(page)


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("desktop", "light")])
def test_rooms_are_listed_opened_and_closed(room: RoomStandin, opened: Opens, size: str, scheme: str) -> None:
    kitchen(room)
    page = opened(size, scheme, "/rooms")
    page.wait_for_selector(".card.room")
    assert page.inner_text(".room h3") == "kitchen"
    assert page.inner_text(".room p") == "2 cameras"
    in_reach(page)
    shot(page, f"rooms-{size}")
    page.get_by_role("button", name="Close room kitchen…").click()
    in_reach(page)
    page.click("#ask-yes")
    page.wait_for_selector("text=No room is open.")
    page.fill("form input", "my kitchen")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=A room's name begins with")
    page.fill("form input", "kitchen")
    page.keyboard.press("Enter")
    page.wait_for_selector("#room-name >> text=kitchen")
    assert room.asked[-1] == ("POST /rooms", {"name": "kitchen"})


def test_a_room_without_cameras_says_what_to_do(room: RoomStandin, opened: Opens) -> None:
    page = opened("phone")
    page.wait_for_selector("text=No camera is here yet")
    in_reach(page)
    page.get_by_role("button", name="Invite a camera…").click()
    page.get_by_role("button", name="Cancel").click()
    kitchen(room)
    room.tell()
    watched(page)


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_from_right_to_left_the_wall_stays_on_the_screen(room: RoomStandin, opened: Opens, size: str) -> None:
    kitchen(room)
    page = opened(size, locale="ar-EG", said=pseudo("مرحبا {}"))
    watched(page)
    assert page.evaluate("document.documentElement.dir") == "rtl"
    in_reach(page)
    shot(page, f"ar-wall-{size}")
    if size == "phone":
        page.click("#here-button")
    for tab in ("here", "invited", "room"):
        page.click(f"#tab-{tab}")
        in_reach(page)
        shot(page, f"ar-{tab}-{size}")
    page.click("#panel-close")
    page.click("#invite")
    in_reach(page)
    page.keyboard.press("Escape")
    page.goto(f"{room.url}/rooms")
    page.wait_for_selector(".card.room")
    in_reach(page)


def test_no_text_of_the_wall_is_left_in_english(room: RoomStandin, opened: Opens) -> None:
    kitchen(room)
    room.states["one"]["recognising"] = False
    room.states["two"]["state"] = "away"
    room.sources.append({"id": "s", "name": "A", "url": "a", "state": "retrying", "retry_in": 3, "reason": None})
    left = LEFT.replace("Ada|Bob", "Ada|Bob|Door|kitchen|VP8")
    page = opened(locale="fr-FR", said=pseudo())
    page.wait_for_selector("#here-list li")
    for tab in ("invited", "room", "here"):
        page.click(f"#tab-{tab}")
        page.wait_for_timeout(300)
        assert page.evaluate(left) == [], tab
    page.click(".host-menu > button >> nth=0")
    assert page.evaluate(left) == []
    page.click("#invite")
    assert page.evaluate(left) == []
    page.click("dialog[open] [type=submit]")
    page.wait_for_selector("dialog[open] img")
    assert page.evaluate(left) == []
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.evaluate(left) == []
