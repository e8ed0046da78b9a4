"""The rasteriser on the CPU: compiled loops, threads over the faces of a batch.

Most triangles of a face cover one pixel or none, so a processor that guesses wrong at every branch loses more time
than the arithmetic takes. Hence three passes a face without an unforeseeable branch: list the triangles that may cover
a pixel; test the pixels in their boxes, with the depth and the triangle packed into one integer, so that "nearest, then
first listed" is a maximum; find the weights of what is seen. Indices are unsigned, since NumPy's meaning of a negative
index costs time.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SOUND, BAD_INDEX, NOT_FINITE = 0, 1, 2  # what a face turned out to be

_LAST = 2**31 - 1  # minus the number of a triangle: larger for the one listed first
_LOW_HALF = 2**32 - 1
_NOTHING = -(2**63)
_MAGNITUDE = np.uint32(0x7FFFFFFF)  # the bits of a float32 but its sign: they count upwards with its size
_INFINITY = np.uint32(0x7F800000)  # and are this for infinity, more for NaN


@numba.njit(cache=True, nogil=True)
def _all_finite(bits: Array) -> bool:
    largest = np.uint32(0)
    for bit in bits:
        largest = max(largest, bit & _MAGNITUDE)
    return bool(largest < _INFINITY)


@numba.njit(cache=True, nogil=True)
def _list_boxes(vertices: Array, triangles: Array, height: int, width: int, listed: Array, boxes: Array) -> int:
    """Lists the triangles with a pixel centre in their box, and the boxes (left, right, top, bottom).

    Returns:
        How many there are; -1 if a triangle names a vertex that is not there.
    """
    places = np.uint64(len(vertices))
    right_end, bottom_end, zero = np.float32(width - 1), np.float32(height - 1), np.float32(0)
    count = np.uint64(0)
    for index in range(np.uint64(len(triangles))):
        i, j, k = np.uint64(triangles[index, 0]), np.uint64(triangles[index, 1]), np.uint64(triangles[index, 2])
        if i >= places or j >= places or k >= places:
            return -1
        x0, x1, x2 = vertices[i, 0], vertices[j, 0], vertices[k, 0]
        y0, y1, y2 = vertices[i, 1], vertices[j, 1], vertices[k, 1]
        left, right = max(zero, np.ceil(min(x0, x1, x2))), min(right_end, np.floor(max(x0, x1, x2)))
        top, bottom = max(zero, np.ceil(min(y0, y1, y2))), min(bottom_end, np.floor(max(y0, y1, y2)))
        listed[count] = index  # the next one overwrites an empty box
        boxes[count, 0], boxes[count, 1], boxes[count, 2], boxes[count, 3] = left, right, top, bottom
        count += np.uint64((left <= right) & (top <= bottom))
    return int(count)


@numba.njit(cache=True, nogil=True)
def _barycentric(
    ax: float, ay: float, bx: float, by: float, cx: float, cy: float, share: float
) -> tuple[float, float, float]:
    """Weights of the corners, which are seen from the pixel; ``share`` is one over twice the signed area."""
    return (bx * cy - cx * by) * share, (cx * ay - ax * cy) * share, (ax * by - bx * ay) * share


@numba.njit(cache=True, nogil=True)
def _draw_boxes(vertices: Array, triangles: Array, listed: Array, boxes: Array, nearest: Array) -> None:
    """Keeps for every pixel (H, W) the largest key (depth, then first listed) of the triangles that cover it.

    Edge functions are float64 and see the corners from the pixel: swapping the ends of an edge changes their sign and
    nothing else, so two triangles that share an edge never both miss a pixel.
    """
    for place in range(np.uint64(len(listed))):
        index = np.uint64(listed[place])
        i, j, k = np.uint64(triangles[index, 0]), np.uint64(triangles[index, 1]), np.uint64(triangles[index, 2])
        ax, bx, cx = np.float64(vertices[i, 0]), np.float64(vertices[j, 0]), np.float64(vertices[k, 0])
        ay, by, cy = np.float64(vertices[i, 1]), np.float64(vertices[j, 1]), np.float64(vertices[k, 1])
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area == 0.0:
            continue
        share = 1.0 / area
        z = np.float64(vertices[i, 2])
        rise_b, rise_c = vertices[j, 2] - z, vertices[k, 2] - z
        mine = _LAST - np.int64(index)
        left, right = np.int64(boxes[place, 0]), np.int64(boxes[place, 1])
        x, y, bottom = left, np.int64(boxes[place, 2]), np.int64(boxes[place, 3])
        for _ in range((right - left + 1) * (bottom - y + 1)):
            a, b, c = _barycentric(ax - x, ay - y, bx - x, by - y, cx - x, cy - y, share)
            near = np.float32(z + b * rise_b + c * rise_c) + np.float32(0)  # + 0 turns -0.0 into 0.0, its equal
            bits = np.int64(np.float32(near).view(np.int32))
            key = ((bits ^ ((bits >> 31) & _LAST)) << 32) + mine  # bits turned so that they sort like the numbers
            inside = (a >= 0.0) & (b >= 0.0) & (c >= 0.0)
            u, v = np.uint64(x), np.uint64(y)
            nearest[v, u] = max(nearest[v, u], key if inside else _NOTHING)
            row_ends = x == right
            x = left if row_ends else x + 1
            y += row_ends


@numba.njit(cache=True, nogil=True)
def _decode(vertices: Array, triangles: Array, triangle: Array, weights: Array, depth: Array) -> None:
    """Turns the keys in ``triangle`` into triangles, weights and depth of one picture."""
    height, width = depth.shape
    for y in range(np.uint64(height)):
        for x in range(np.uint64(width)):
            key = triangle[y, x]
            if key == _NOTHING:
                triangle[y, x] = -1
                weights[y, x, 0], weights[y, x, 1], weights[y, x, 2] = 0, 0, 0
                depth[y, x] = -np.inf
                continue
            index = np.uint64(_LAST - (key & _LOW_HALF))
            triangle[y, x] = index
            bits = key >> 32
            depth[y, x] = np.int32(bits ^ ((bits >> 31) & _LAST)).view(np.float32)
            i, j, k = np.uint64(triangles[index, 0]), np.uint64(triangles[index, 1]), np.uint64(triangles[index, 2])
            ax, bx, cx = np.float64(vertices[i, 0]), np.float64(vertices[j, 0]), np.float64(vertices[k, 0])
            ay, by, cy = np.float64(vertices[i, 1]), np.float64(vertices[j, 1]), np.float64(vertices[k, 1])
            share = 1.0 / ((bx - ax) * (cy - ay) - (cx - ax) * (by - ay))
            a, b, c = _barycentric(ax - x, ay - y, bx - x, by - y, cx - x, cy - y, share)
            weights[y, x, 0], weights[y, x, 1], weights[y, x, 2] = a, b, c


@numba.njit(cache=True, parallel=True)
def draw_batch(vertices: Array, triangles: Array, triangle: Array, weights: Array, depth: Array) -> int:
    """Draws every face of a batch into its buffers.

    Args:
        vertices: (B, V, 3) float32 pixels. triangles: (F, 3) int64 or int32.
        triangle: (B, H, W) int64. weights: (B, H, W, 3) float32. depth: (B, H, W) float32. All three are overwritten.
    Returns:
        ``SOUND``, or the gravest of what the faces turned out to be; the buffers are worthless then.
    """
    batch, height, width = depth.shape
    gravest = SOUND
    all_bits = vertices.view(np.uint32).reshape(batch, 3 * vertices.shape[1])
    for face in numba.prange(batch):
        triangle[face] = _NOTHING
        if not _all_finite(all_bits[face]):
            gravest = max(gravest, NOT_FINITE)
            continue
        listed = np.empty(len(triangles) + 1, np.uint32)
        boxes = np.empty((len(triangles) + 1, 4), np.float32)
        count = _list_boxes(vertices[face], triangles, height, width, listed, boxes)
        if count < 0:
            gravest = max(gravest, BAD_INDEX)
            continue
        _draw_boxes(vertices[face], triangles, listed[:count], boxes, triangle[face])
        _decode(vertices[face], triangles, triangle[face], weights[face], depth[face])
    return gravest


@numba.njit(cache=True, parallel=True)
def blend(
    triangle: Array, weights: Array, triangles: Array, attributes: Array, background: Array, picture: Array
) -> None:
    """Writes a picture (B, H, W, C): the attributes (B, V, C) of what is seen, the background elsewhere.

    The caller has seen to it that all indices are in range.
    """
    batch, height, width, channels = picture.shape
    for face in numba.prange(batch):
        for y in range(np.uint64(height)):
            for x in range(np.uint64(width)):
                seen = triangle[face, y, x]
                if seen < 0:
                    for channel in range(np.uint64(channels)):
                        picture[face, y, x, channel] = background[face, y, x, channel]
                    continue
                index = np.uint64(seen)
                i, j, k = np.uint64(triangles[index, 0]), np.uint64(triangles[index, 1]), np.uint64(triangles[index, 2])
                a, b, c = weights[face, y, x, 0], weights[face, y, x, 1], weights[face, y, x, 2]
                for channel in range(np.uint64(channels)):
                    picture[face, y, x, channel] = (
                        a * attributes[face, i, channel]
                        + b * attributes[face, j, channel]
                        + c * attributes[face, k, channel]
                    )
