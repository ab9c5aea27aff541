from site_agent.job.vitals import Network, network_of

TEXT = """\
Inter-|   Receive                                                |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
    lo:    1000    2    0    0    0     0          0         0     1000    2    0    0    0     0       0          0
  eth0:      10    1    0    0    0     0          0         0       20    1    0    0    0     0       0          0
  tun1:5 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0
"""


def test_all_interfaces_count_but_the_loopback() -> None:
    assert network_of(TEXT) == Network(15, 27, measured=True)
