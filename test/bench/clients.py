"""The clients that people use today, from Debian's packages: posts the body of each line of a
Batch-API file.

  clients.py aiohttp|httpx|httpx-new URL FILE COUNT CONCURRENCY

aiohttp: one session; httpx: one shared client; httpx-new: a new client for every request. Every
answer is read whole and parsed. Prints requests per second, the start of the interpreter and the
reading of the file left out.
"""
import asyncio
import json
import sys
import time


async def through(ask, bodies, concurrency):
    """COUNT workers take the bodies one after the other: what an asyncio semaphore comes to,
    without its tasks."""
    waiting = iter(bodies)

    async def work():
        for body in waiting:
            answer = json.loads(await ask(body))
            assert answer["choices"][0]["message"]["content"]

    await asyncio.gather(*(work() for _ in range(concurrency)))


HEADERS = {"Content-Type": "application/json"}


async def with_aiohttp(url, bodies, concurrency):
    import aiohttp
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency),
                                     headers=HEADERS) as session:
        async def ask(body):
            async with session.post(url, data=body) as answer:
                assert answer.status == 200
                return await answer.read()
        await through(ask, bodies, concurrency)


async def with_httpx(url, bodies, concurrency):
    import httpx
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with httpx.AsyncClient(limits=limits, headers=HEADERS, trust_env=False) as client:
        async def ask(body):
            answer = await client.post(url, content=body)
            assert answer.status_code == 200
            return answer.content
        await through(ask, bodies, concurrency)


async def with_new_httpx(url, bodies, concurrency):
    import httpx

    async def ask(body):
        async with httpx.AsyncClient(headers=HEADERS, trust_env=False) as client:
            answer = await client.post(url, content=body)
            assert answer.status_code == 200
            return answer.content
    await through(ask, bodies, concurrency)


def main():
    kind, url, path, count, concurrency = sys.argv[1:]
    with open(path, "rb") as lines:
        bodies = [line.rstrip()[line.index(b'"body":') + 7:-1]
                  for _, line in zip(range(int(count)), lines)]
    how = {"aiohttp": with_aiohttp, "httpx": with_httpx, "httpx-new": with_new_httpx}[kind]
    start = time.monotonic()
    asyncio.run(how(url, bodies, int(concurrency)))
    print(f"{len(bodies) / (time.monotonic() - start):.1f}")


main()
