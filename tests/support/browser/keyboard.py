"""By keyboard: whatever can be used is reached with Tab, shows that it is, and lies under nothing else."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from playwright.sync_api import Page

# What can be reached is noted with its looks, and the focus put before the first of it.
_BEGIN: Final = """() => {
  const nth = each => [...each.parentElement.children].indexOf(each) + 1;
  const path = each => each.id ? '#' + each.id : each === document.body ? 'body'
    : `${path(each.parentElement)} > ${each.tagName.toLowerCase()}:nth-child(${nth(each)})`;
  const looks = each => {
    const style = getComputedStyle(each);
    return [style.boxShadow, style.backgroundColor, style.color, style.borderColor, style.borderWidth,
      style.textDecorationLine, style.textDecorationThickness].join('|');
  };
  const usable = each => each.tabIndex >= 0 && !each.matches(':disabled') && !each.closest('[inert]')
    && each.checkVisibility({visibilityProperty: true})
    && !(each.type === 'radio' && each.name && each !== radio(each));
  const radio = each => {
    const group = [...document.getElementsByName(each.name)]
      .filter(one => one.type === 'radio' && one.form === each.form);
    return group.find(one => one.checked) ?? group[0];
  };
  document.activeElement?.blur();
  const those = [...document.querySelectorAll(
    'a[href],area[href],button,input,select,textarea,summary,iframe,[tabindex],[contenteditable]')].filter(usable);
  window.keyboard = {path, looks, seen: new Set(), before: new Map(those.map(each => [each, looks(each)]))};
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute('tabindex');
  return those.length;
}"""
_HERE: Final = """() => {
  const {path, looks, seen, before} = window.keyboard, each = document.activeElement;
  if (!each || each === document.body || seen.has(each)) return null;
  seen.add(each);
  const style = getComputedStyle(each);
  const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0
    && !/^(transparent|rgba\\(.*, 0\\))$/.test(style.outlineColor);
  const box = each.getClientRects()[0];
  const top = box && document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return {
    path: path(each),
    visible: outlined || (before.has(each) && before.get(each) !== looks(each)),
    covered: !box || !top || !(each.contains(top) || top.contains(each) || top.closest('label')?.control === each),
  };
}"""
_MISSED: Final = """() => [...window.keyboard.before.keys()].filter(each => !window.keyboard.seen.has(each))
  .map(window.keyboard.path)"""


def tab_through(page: "Page") -> list[str]:
    """Press Tab until the page ends; the selectors of what was reached, in order.

    Raises ``AssertionError`` with what cannot be reached, does not show that it has the focus, or is covered then
    (WCAG 2.2: 2.1.1, 2.1.2, 2.4.7, 2.4.11).
    """
    there = page.evaluate(_BEGIN)
    reached: list[dict[str, Any]] = []
    # Places that scroll are reached too, hence not only as many as there are.
    for _ in range(2 * there + 20):
        page.keyboard.press("Tab")
        if (here := page.evaluate(_HERE)) is None:
            break
        reached.append(here)
    else:
        raise AssertionError(f"Tab does not come to an end in {page.url}: {[each['path'] for each in reached][-5:]}")
    faults = [f"not reached: {path}" for path in page.evaluate(_MISSED)]
    faults += [f"focus not visible: {each['path']}" for each in reached if not each["visible"]]
    faults += [f"covered: {each['path']}" for each in reached if each["covered"]]
    assert not faults, "\n".join([f"by keyboard in {page.url}:", *faults])
    return [each["path"] for each in reached]
