"""Where replies and events go."""

from daemon.osc.clients import CLIENTS, Clients

MAX, MAX_PORT = ("127.0.0.1", 50_001), ("127.0.0.1", 7771)
PD, PD_PORT = ("127.0.0.1", 50_002), ("127.0.0.1", 7801)
ONE_SHOT = ("127.0.0.1", 50_003)
ELSEWHERE = ("10.0.0.9", 50_001)


def registered() -> Clients:
    clients = Clients(expiry_s=60)
    clients.register(MAX, 7771, "max", 0.0)
    clients.register(PD, 7801, "pd", 0.0)
    return clients


def test_nobody_registered_is_answered_where_he_sends_from() -> None:
    assert Clients(60).hear(ONE_SHOT, 0.0) == (ONE_SHOT,)


def test_each_keeps_his_own_port() -> None:
    clients = registered()
    assert clients.hear(MAX, 1.0) == (MAX_PORT,)
    assert clients.hear(PD, 1.0) == (PD_PORT,)


def test_a_one_shot_sender_is_answered_to_all_of_his_machine() -> None:
    clients = registered()
    assert clients.hear(ONE_SHOT, 1.0) == (ONE_SHOT, MAX_PORT, PD_PORT)
    assert clients.hear(ELSEWHERE, 1.0) == (ELSEWHERE,)


def test_one_port_named_twice_gets_one_copy() -> None:
    clients = registered()
    clients.register(("127.0.0.1", 50_009), 7771, "max again", 0.0)
    assert clients.hear(ONE_SHOT, 1.0).count(MAX_PORT) == 1
    assert clients.subscribers(1.0).count(MAX_PORT) == 1


def test_events_end_after_silence_and_replies_do_not() -> None:
    clients = registered()
    clients.hear(PD, 50.0)
    assert clients.subscribers(61.0) == (PD_PORT,)
    assert clients.hear(MAX, 1000.0) == (MAX_PORT,)
    assert clients.subscribers(1001.0) == (MAX_PORT,)


def test_one_shot_senders_keep_their_machines_registration_awake() -> None:
    clients = registered()
    for now_s in range(0, 600, 50):
        assert MAX_PORT in clients.hear(ONE_SHOT, float(now_s))


def test_a_client_may_leave() -> None:
    clients = registered()
    clients.forget(MAX)
    clients.forget(MAX)
    assert clients.hear(MAX, 1.0) == (MAX, PD_PORT)
    assert clients.subscribers(1.0) == (PD_PORT,)


def test_the_one_silent_for_longest_gives_way() -> None:
    clients = registered()
    clients.hear(MAX, 1.0)
    for number in range(CLIENTS - 1):
        clients.register(("10.0.0.1", 1000 + number), 5000 + number, "", 2.0)
    assert clients.hear(MAX, 3.0) == (MAX_PORT,)
    assert len(clients.subscribers(3.0)) == CLIENTS
    assert PD_PORT not in clients.subscribers(3.0)
