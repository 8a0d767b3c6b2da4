"""Which component an instance was built from, for as long as the instance lives."""

import copy
import gc

from texprior.plugin import origin
from texprior.plugin.origin import Origin, is_first, name_of, remember_origin, share_origin


class Thing:
    pass


class Slots:
    __slots__ = ()


class Equal:
    def __eq__(self, other):
        return True

    __hash__ = None


RAIN, SNOW = Origin("degradation", "acme/rain", "1.0"), Origin("degradation", "acme/snow", "1.0")


def test_two_components_of_one_class_keep_their_names_even_if_they_are_equal():
    rain, snow = Equal(), Equal()
    remember_origin(rain, RAIN)
    remember_origin(snow, SNOW)
    assert name_of(rain) == "degradation 'acme/rain' (version 1.0)"
    assert name_of(snow) == "degradation 'acme/snow' (version 1.0)"


def test_a_copy_and_a_wrapper_have_a_name_and_a_stranger_that_of_its_class():
    class Wrapper:
        pass

    thing, wrapper = Thing(), Wrapper()
    assert name_of(thing).startswith("component ")
    assert name_of(thing).endswith(".Thing")
    remember_origin(thing, RAIN)
    share_origin(wrapper, thing)
    assert name_of(copy.copy(thing)) == name_of(wrapper) == str(RAIN)


def test_what_cannot_be_remembered_has_the_name_of_its_class():
    slots = Slots()
    remember_origin(slots, SNOW)
    assert name_of(slots) == str(SNOW)
    assert [is_first(slots, "sum"), is_first(slots, "sum")] == [True, True]


def test_an_instance_is_forgotten_when_it_ends():
    thing = Thing()
    remember_origin(thing, RAIN)
    assert [is_first(thing, "sum"), is_first(thing, "sum"), is_first(thing, "range")] == [True, False, True]
    place = id(thing)
    del thing
    gc.collect()
    assert place not in origin._OF_INSTANCE
    assert place not in origin._PASSED
