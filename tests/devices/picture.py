"""Recorded pictures, and whether they show what the camera draws."""

BARS = [
    ("white", 180, 128, 128),
    ("yellow", 162, 44, 142),
    ("cyan", 131, 156, 44),
    ("green", 112, 72, 58),
    ("magenta", 84, 184, 198),
    ("red", 65, 100, 212),
    ("blue", 35, 212, 114),
    ("black", 16, 128, 128),
]
"""EBU colour bars of 75 %, from left to right: Y, U and V in limited range after BT.601."""

_NEAR = 14
"""What an encoder short of bits may change about a plain area, in levels of 255."""
_LETTERS = 0.3
"""The upper part of the picture, where the camera writes time and count."""


class Picture:
    """One picture as planes of luma and of both colours at half the size."""

    def __init__(self, width, height, data):
        self.width, self.height = width, height
        self.y = memoryview(data)[: width * height]
        half = (width // 2) * (height // 2)
        self.u = memoryview(data)[width * height :][:half]
        self.v = memoryview(data)[width * height + half :][:half]

    def brightness(self):
        """Mean luma of a sample of the picture."""
        some = self.y[:: self.width // 20 * 7 + 1]
        return sum(some) / len(some)

    def at(self, x, y):
        """Luma and colours at a place between 0 and 1 each way, as means over 5 by 5 pixels."""
        column, row = int(x * (self.width - 1)), int(y * (self.height - 1))
        means = []
        for plane, step in ((self.y, 1), (self.u, 2), (self.v, 2)):
            width, height = self.width // step, self.height // step
            left, top = min(max(column // step - 2, 0), width - 5), min(max(row // step - 2, 0), height - 5)
            means.append(sum(sum(plane[line * width + left :][:5]) for line in range(top, top + 5)) / 25)
        return tuple(means)

    def letters(self):
        """Luma where the camera writes, every second line."""
        rows = range(0, int(self.height * _LETTERS), 2)
        return b"".join(self.y[row * self.width :][: self.width] for row in rows)


def read(path):
    """The pictures of a Y4M file, one by one. One that was cut off counts as the end."""
    with open(path, "rb") as file:
        header = file.readline().split()
        if not header or header[0] != b"YUV4MPEG2":
            raise ValueError(f"{path} is no Y4M file")
        fields = {field[:1]: field[1:] for field in header[1:]}
        width, height = int(fields[b"W"]), int(fields[b"H"])
        size = width * height + 2 * (width // 2) * (height // 2)
        while file.readline().startswith(b"FRAME"):
            data = file.read(size)
            if len(data) < size:
                return
            yield Picture(width, height, data)


def _near(found, wanted):
    return all(abs(one - other) <= _NEAR for one, other in zip(found, wanted))


def wrong_bars(picture):
    """What is wrong about the colour bars in the lower part of the picture; nothing, if they are as the camera draws them.

    A camera that films 16:9 has a bar cut off at each side of a 4:3 picture.
    """
    return min((_wrong(picture, cut) for cut in (0, 1)), key=len)


def _wrong(picture, cut):
    wrong, seen = [], BARS[cut : len(BARS) - cut]
    for index, (name, *wanted) in enumerate(seen):
        found = picture.at((index + 0.5) / len(seen), 0.75)
        if not _near(found, wanted):
            wrong.append(f"{name} is {tuple(round(value) for value in found)} instead of {tuple(wanted)}")
    return wrong


def plain(picture, wanted):
    """Whether the lower part of the picture has this one colour all over."""
    return all(_near(picture.at((index + 0.5) / 8, 0.75), wanted) for index in range(8))


def letters_changed(before, after):
    """Whether the writing is another one."""
    return sum(abs(one - other) > 60 for one, other in zip(before.letters(), after.letters())) >= 8
