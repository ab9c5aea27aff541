"""Composition of the host: config, app, keys, task hub, listeners; start and graceful stop."""

import asyncio
import json
import logging
import os
import time
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Self

from aiohttp import web
from azure.durable_functions.models.utils import http_utils

from local_stack.files import write_private
from local_stack.functions_host.addresses import RPC_PATH, WEBHOOK_PATH, Addresses
from local_stack.functions_host.app_loader import DEFAULT_SCRIPT, load_app
from local_stack.functions_host.config import (
    ONE_CORE_THREADS,
    HostConfig,
    is_disabled,
    load_host_config,
    load_settings,
    thread_count,
    worker_count,
)
from local_stack.functions_host.durable.task_hub import HubOptions, TaskHub
from local_stack.functions_host.functions import HTTP_TRIGGER, HostedFunction
from local_stack.functions_host.invoker import AppInvoker
from local_stack.functions_host.keys import DURABLE_KEY, Access, KeyRing, Level
from local_stack.functions_host.listener import HttpListener, base_url, bind
from local_stack.functions_host.routes.admin import AdminApi
from local_stack.functions_host.routes.durable import DurableApi
from local_stack.functions_host.routes.event_grid import EventGridWebhook
from local_stack.functions_host.routes.http_triggers import add_http_triggers, presented_key
from local_stack.functions_host.routing import RouteTable, RouteValues
from local_stack.functions_host.triggers.listeners import Surroundings, build_listeners
from local_stack.functions_host.workers.pool import ScaledInvoker, WorkerPlan

log = logging.getLogger("functions_host")

ENDPOINTS_FILE: Final = "endpoints.json"
KEYS_FILE: Final = "keys.json"


@dataclass(frozen=True, slots=True)
class HostOptions:
    """How one host is run. Ports of 0 pick free ones."""

    app_root: Path
    state: Path
    port: int
    rpc_port: int = 0
    enforce_keys: bool = False
    one_pool: bool = False
    """Orchestrators and activities share one pool of threads, as in the Python worker."""
    grace: timedelta = timedelta(seconds=10)
    """How long running calls may take to end when the host stops."""


class FunctionsHost:
    """A host over one app. Build it with :meth:`load`, on the event loop it is to run on."""

    def __init__(self, options: HostOptions, config: HostConfig, settings: MutableMapping[str, str]) -> None:
        self._options = options
        script = settings.get("PYTHON_SCRIPT_FILE_NAME", DEFAULT_SCRIPT)
        functions = load_app(options.app_root, script=script, is_disabled=lambda name: is_disabled(name, settings))
        http_names = [function.name for function in functions if function.trigger.type == HTTP_TRIGGER]
        self._keys = KeyRing.load_or_create(options.state / KEYS_FILE, http_names)
        # Bound before anything runs: functions are told the ports.
        self._sockets = bind(options.port), bind(options.rpc_port)
        public_url, rpc_url = (base_url(bound) for bound in self._sockets)
        self._addresses = Addresses(public_url, rpc_url, config.hub_name, self._keys.system[DURABLE_KEY])
        self._invoker = self._make_invoker(functions, config, settings)
        self._hub = TaskHub(
            options.state / f"{config.hub_name.lower()}.sqlite3",
            self._invoker,
            HubOptions(max_activities=config.max_activities, max_orchestrators=config.max_orchestrators),
        )
        self._triggers = build_listeners(Surroundings(self._invoker, settings, options.state, config.service_bus))
        self._admin = AdminApi(self._invoker, config.hub_name.lower())
        self._public, self._rpc = self._http_listeners(config)

    @classmethod
    def load(cls, options: HostOptions, settings: MutableMapping[str, str]) -> Self:
        """Read the configuration and the app.

        ``settings`` is the process environment: the app reads its settings there, so local ones are added to it.
        Raises the load errors of ``config``, ``app_loader``, ``binding_checks``, ``keys``, ``routing`` and the
        triggers, or ``OSError`` when a port is taken.
        """
        options.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        load_settings(options.app_root, settings)
        return cls(options, load_host_config(options.app_root, settings), settings)

    @property
    def addresses(self) -> Addresses:
        """Where the host listens."""
        return self._addresses

    async def start(self) -> None:
        """Take the store, resume what was unfinished, listen, write the endpoints file. Raises what the hub does."""
        await self._invoker.start()
        await self._hub.start()
        await self._rpc.start()
        await self._public.start()
        for trigger in self._triggers:
            trigger.start()
        write_private(self._options.state / ENDPOINTS_FILE, json.dumps(self._endpoints(), indent=2))
        log.info("started functions=%d enforce_keys=%s", len(self._invoker.functions), self._options.enforce_keys)

    async def stop(self) -> None:
        """Stop listening, let running calls end within the grace period; the store keeps everything unfinished."""
        deadline = time.monotonic() + self._options.grace.total_seconds()
        grace = self._options.grace
        await asyncio.gather(
            self._public.stop(), self._admin.settle(grace), *(trigger.stop(grace) for trigger in self._triggers)
        )
        await self._hub.stop(timedelta(seconds=max(0.0, deadline - time.monotonic())))
        # Last, because running functions talk to the hub through it.
        await self._rpc.stop()
        # The SDK keeps one client session per process and has no public way to close it.
        await http_utils._close_session()  # noqa: SLF001
        await self._invoker.stop()
        (self._options.state / ENDPOINTS_FILE).unlink(missing_ok=True)
        log.info("stopped unfinished_calls=%d", self._invoker.running)

    def _make_invoker(
        self, functions: Sequence[HostedFunction], config: HostConfig, settings: Mapping[str, str]
    ) -> AppInvoker:
        options, count = self._options, worker_count(settings)
        if count > 1:
            plan = WorkerPlan(count, options.app_root, one_pool=options.one_pool)
            return ScaledInvoker(functions, client_binding=self._addresses.client_binding, plan=plan)
        return AppInvoker(
            functions,
            client_binding=self._addresses.client_binding,
            timeout=config.function_timeout,
            threads=thread_count(settings) or (ONE_CORE_THREADS if options.one_pool else None),
            one_pool=options.one_pool,
        )

    def _http_listeners(self, config: HostConfig) -> tuple[HttpListener, HttpListener]:
        public, rpc = RouteTable(), RouteTable()
        durable = DurableApi(self._hub, self._addresses)
        durable.add_to(rpc, RPC_PATH)
        durable.add_to(public, WEBHOOK_PATH, Access(Level.SYSTEM, DURABLE_KEY))
        EventGridWebhook(self._invoker).add_to(public)
        self._admin.add_to(public)
        add_http_triggers(public, self._invoker, self._keys, config.route_prefix)
        public.add("GET", "/", _home)
        public_socket, rpc_socket = self._sockets
        grace = self._options.grace
        return HttpListener(public_socket, public, self._guard, grace), HttpListener(rpc_socket, rpc, _open, grace)

    def _guard(self, request: web.Request, access: Access) -> bool:
        return not self._options.enforce_keys or self._keys.opens(access, presented_key(request))

    def _endpoints(self) -> dict[str, object]:
        return {
            "pid": os.getpid(),
            "url": self._addresses.url,
            "rpc_url": self._addresses.rpc_url,
            "hub_name": self._addresses.hub_name,
            "keys_enforced": self._options.enforce_keys,
            "master_key": self._keys.master,
            "function_key": next(iter(self._keys.host.values())),
            "system_keys": dict(self._keys.system),
        }


def _open(_request: web.Request, _access: Access) -> bool:
    return True


async def _home(_request: web.Request, _values: RouteValues) -> web.Response:
    return web.Response(text="Your local Functions host is up and running.\n")
