"""What the experiments promise: shapes, pairing, refusals, and the expected effects with safe margins."""

import functools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from lib.federated.local import LocalSGD, minibatches
from lib.federated.model import Model
from lib.federated.seeds import evaluation_rng
from lib.fedper import figures
from lib.fedper.aesthetics import own_tastes, picture_pool
from lib.fedper.baselines import METHODS, method
from lib.fedper.experiments import (
    ablation,
    accuracy_by_classes,
    accuracy_by_skew,
    aesthetics,
    base_ablation,
    common_heads,
    digits_partition,
    images,
    many_classes,
    newcomers,
    other_methods,
    own_rates,
    real_tables,
    renamed_labels,
    round_costs,
    stationarity,
    step_costs,
    transfer_counts,
    tuned,
    unit_sizes,
)
from lib.fedper.experiments.ablation import linear_base
from lib.fedper.experiments.arms import DIGITS_NET, Plan, arm
from lib.fedper.experiments.flickr import accuracy_on_flickr, raters_federation
from lib.fedper.experiments.images import at_size
from lib.fedper.experiments.networks import network
from lib.fedper.experiments.rates import judging, learning_rates
from lib.fedper.experiments.real import accuracy_on_cifar10, networks_on_cifar10, real_tasks
from lib.fedper.experiments.stationarity import squared_gradient
from lib.fedper.federations import class_federation, digits, dirichlet_federation, permuted
from lib.fedper.rules import paired
from lib.nets import mlp, resnet34, small_cnn

resnet = functools.partial(resnet34, width=0.125)
TINY = {"rounds": 2, "steps": 2, "seeds": 1}


@pytest.fixture(scope="module")
def tiny_classes():
    return accuracy_by_classes(classes_per_client=(4, 10), evaluate_every=1, **TINY)


def test_clients_hold_their_classes_in_training_and_test():
    made = class_federation(*digits(), classes_per_client=3, seed=1)
    total = 0
    for client in made.clients:
        assert len(client.train_y.unique()) <= 3 and set(client.test_y.tolist()) <= set(client.train_y.tolist())
        total += len(client.train_y) + len(client.test_y)
        assert len(client.test_y) == round((len(client.train_y) + len(client.test_y)) / 6)
    assert total == 1797
    sizes = [client.examples for client in dirichlet_federation(*digits(), alpha=0.1, seed=0).clients]
    assert max(sizes) - min(sizes) <= 1


def test_renaming_changes_labels_and_nothing_else():
    made = class_federation(*digits(), classes_per_client=10, seed=1)
    names = np.tile(np.arange(10), (10, 1))
    names[3] = names[3][::-1]
    changed = permuted(made, names)
    assert (changed.clients[3].train_y == 9 - made.clients[3].train_y).all()
    assert (changed.clients[0].test_y == made.clients[0].test_y).all()
    assert changed.clients[3].train_x is made.clients[3].train_x
    with pytest.raises(ValueError, match="one row a client"):
        permuted(made, names[:3])


def test_table_of_classes_is_tidy_and_reproducible(tiny_classes):
    again = accuracy_by_classes(classes_per_client=(4, 10), evaluate_every=1, **TINY)
    pd.testing.assert_frame_equal(tiny_classes, again)
    assert set(tiny_classes["method"]) == {
        "FedAvg", "FedPer 1", "FedPer 2", "FedPer 3", "local only", "FedAvg + FT", "FedPer 1 + FT",
    }  # fmt: skip
    keys = ["classes_per_client", "method", "seed", "round"]
    assert not tiny_classes.duplicated(keys).any() and tiny_classes["accuracy"].between(0, 1).all()
    sizes = unit_sizes()
    sent = tiny_classes.groupby("personal_units")["kib_up"].first() * 1024
    # Two numbers of the client's own accuracy and the number of examples go along, eight bytes each.
    assert sent.tolist() == [4 * sum(sizes[: 4 - units]) + 24 for units in range(5)]
    with pytest.raises(ValueError, match="units"):
        accuracy_by_classes(personal_units=(0, 5), **TINY)


def test_progress_sees_every_cell():
    seen = []

    def progress(items, label):
        seen.append((label, len(list(items))))
        return items

    common_heads(classes_per_client=(4,), progress=progress, **TINY)
    assert seen == [("initial heads", 1)]


@pytest.mark.parametrize("name", [*METHODS, "FedPer 1", "FedPer 2 + FT"])
def test_every_method_runs(name):
    plan = Plan(rounds=1, steps=2)
    algorithm = method(name, DIGITS_NET, plan.local, seed=0)
    assert algorithm.local.steps == 2
    x, y = digits()
    federation = class_federation(x[:200], y[:200], clients=3, classes_per_client=4, seed=0)
    rows, history = arm(name, algorithm, federation, plan, seed=0)
    assert rows["round"].tolist() == [1] and rows["accuracy"].between(0, 1).all()
    assert (history.table["status"] == "trained").all() and history.failures.empty
    start = algorithm.init(0).tensors
    assert bool(start) == (name != "local only")
    assert all(not torch.equal(value, start[key]) for key, value in history.state.tensors.items())
    with pytest.raises(ValueError, match="unknown method"):
        method(f"{name}?", DIGITS_NET, Plan().local, seed=0)


def test_skewed_clients_gain_and_identical_ones_lose():
    def table(ks, units):
        return accuracy_by_classes(
            classes_per_client=ks, personal_units=units, seeds=2, rounds=25, steps=25, evaluate_every=25
        )

    skewed = table((2, 4), (0, 2))
    assert paired(skewed, "FedPer 2", "FedAvg", classes_per_client=2).min() > 0.1
    for k in (2, 4):
        assert paired(skewed, "FedPer 2", "FedAvg", "spread", classes_per_client=k).mean() < 0
    assert paired(table((10,), (0, 1)), "FedAvg", "FedPer 1", classes_per_client=10).mean() > 0.005
    assert paired(table((8,), (2, 4)), "FedPer 2", "local only", classes_per_client=8).mean() > 0.01


def test_no_single_model_passes_the_ceiling_and_fedper_does():
    art = aesthetics(shares=(1.0,), methods=("FedAvg", "FedPer 1"), seeds=1, rounds=16)
    last = art[art["round"] == 16].set_index("method")
    assert last.loc["FedAvg", "accuracy"] < last.loc["FedAvg", "single_ceiling"] + 0.03
    assert last.loc["FedPer 1", "accuracy"] > last.loc["FedPer 1", "single_ceiling"] + 0.03
    assert last["population_ceiling"].iloc[0] == pytest.approx(0.271, abs=0.01)
    pool, votes = picture_pool(seed=0), np.zeros((4000, 5))
    for taste in own_tastes(pool, a=1.0, seed=0):  # the majority among the very users, over noisy draws of their scores
        draws = np.random.default_rng(1).standard_normal((20, 4000)) * 0.3 + pool.factors @ taste
        cuts = np.quantile(draws, np.arange(1, 5) / 5)
        votes += np.stack([(np.searchsorted(cuts, draws) == level).mean(axis=0) for level in range(5)], axis=1) / 30
    assert last["single_ceiling"].iloc[0] == pytest.approx(votes.max(axis=1).mean(), abs=0.01)
    assert last["personal_ceiling"].iloc[0] == pytest.approx(0.70, abs=0.01)
    names = renamed_labels(renamed=(0, 10), seeds=1).set_index(["renamed", "method"])
    assert names.loc[(0, "FedAvg"), "single_ceiling"] == 1
    assert names.loc[(10, "FedAvg"), "accuracy"] < names.loc[(10, "FedAvg"), "single_ceiling"] + 0.03
    assert names.loc[(10, "FedPer 1"), "accuracy"] > names.loc[(10, "FedPer 1"), "single_ceiling"] + 0.3


def test_linear_base_is_linear():
    net = linear_base(6, 3, 2)
    x, zero = torch.randn(2, 6), torch.zeros(1, 6)
    assert torch.allclose(net(x.sum(0, keepdim=True)) - net(zero), (net(x) - net(zero)).sum(0, keepdim=True), atol=1e-5)


def test_transfer_counts_are_exact():
    table = transfer_counts().set_index(["network", "personal_units"])
    assert table.loc[("ResNet-34", 0), "parameters"] == 21_289_802 and table.loc[("MobileNet-v1", 0), "saved"] == 0
    assert table.loc[("MobileNet-v1", 2), "personal_parameters"] == 1_072_138
    assert table.loc[("MobileNet-v1", 2), "mib_up"] == pytest.approx((4 * (3_217_226 - 1_072_138) + 8) / 2**20)
    assert table.loc[("ResNet-34", 2), "saved"] == pytest.approx(4_725_770 / 21_289_802, abs=1e-6)


def test_head_steps_cost_less():
    table = step_costs(width=0.25, batch_size=4, personal_units=(1, 2, 4), repeats=1).set_index("personal_units")
    assert table["personal_kib"].loc[[1, 2, 4]].is_monotonic_increasing and table["personal_kib"].is_unique
    assert table["mflop"].loc[[1, 2, 4, 0]].is_monotonic_increasing and table["mflop"].is_unique
    assert table.loc[1, "extra_mib"] < table.loc[0, "extra_mib"] and table.loc[1, "mflop"] < table.loc[0, "mflop"] / 2
    assert table.loc[1, "personal_kib"] == pytest.approx(4 * (256 * 10 + 10) / 1024)


def test_every_figure_is_finished(tiny_classes):
    skew = accuracy_by_skew(alphas=(0.1, 10.0), **TINY)
    others = other_methods(classes_per_client=(4, 10), **TINY)
    common = common_heads(classes_per_client=(4,), evaluate_every=1, **TINY)
    art = aesthetics(shares=(1.0,), methods=("FedAvg", "FedPer 1"), ceiling_users=50, evaluate_every=1, **TINY)
    drawn = [
        figures.split_diagram(unit_sizes()),
        figures.accuracy_by_round(tiny_classes),
        figures.accuracy_by_units(tiny_classes),
        figures.crossover(tiny_classes, skew),
        figures.comparison(figures.joined(tiny_classes, others)),
        figures.timing(tiny_classes, common),
        figures.pareto(tiny_classes),
        figures.aesthetics(art),
        figures.renamed_labels(renamed_labels(renamed=(0, 4), **TINY)),
        figures.base_ablation(base_ablation(**TINY)),
        figures.newcomers(newcomers(examples=(5, 10), adaptation_steps=2, **TINY)),
        figures.transfer(transfer_counts()),
        figures.accuracy_by_user(tiny_classes[tiny_classes["classes_per_client"] == 4]),
    ]
    for figure in drawn:
        assert len(figure.scarce_caption) > 60 and figure.scarce_alt and "nan" not in figure.scarce_caption
        figure.canvas.draw()
    with pytest.raises(ValueError, match="empty"):
        figures.comparison(tiny_classes.iloc[:0])


def test_a_plan_counts_minibatches_or_passes():
    assert (Plan(steps=7).local.steps, Plan(steps=7).local.epochs) == (7, None)
    paper = Plan(epochs=4, batch_size=128, lr=0.01)
    assert paper.local == LocalSGD(lr=0.01, momentum=0.9, batch_size=128, epochs=4)


def test_fine_tuning_after_passes_is_counted_in_minibatches():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 3, 32, 32)).astype(np.float32), np.repeat(np.arange(10), 20)
    plan = Plan(rounds=1, epochs=1, batch_size=16)
    build = functools.partial(small_cnn, (4,), pixels=32)
    options = {"classes_per_client": (10,), "methods": ("FedAvg", "FedPer 1"), "rates": (0.01,), "seeds": 1}
    table = own_rates.accuracy_at_own_rates("noise", x, y, build, plan, **options)
    assert set(table["method"]) == {"FedAvg", "FedAvg + FT", "FedPer 1", "FedPer 1 + FT"}


def test_images_are_scaled_in_front_of_a_network():
    small, large = at_size(resnet, 32)(), at_size(resnet, 64)()
    for one, other in zip(small.parameters(), large.parameters(), strict=True):
        other.data.copy_(one.data)
    x = torch.linspace(-1, 1, 2 * 3 * 32 * 32).reshape(2, 3, 32, 32).sin()
    scaled = F.interpolate(x, size=(64, 64), mode="bilinear")
    assert torch.equal(large(x), small(scaled)) and not torch.allclose(large(x), small(x))


@pytest.fixture
def noisy_images(monkeypatch):
    """Stand-in for CIFAR-10: noise around a level for each class."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(10), 30))
    found = rng.normal(size=(300, 3, 32, 32)).astype(np.float32) + labels[:, None, None, None].astype(np.float32) / 3
    monkeypatch.setattr(images, "pooled", lambda name: (found, labels))


def test_every_method_on_cifar10_is_judged_at_its_tuned_rate(noisy_images):
    plan, names = Plan(rounds=2, steps=2, batch_size=4), ("FedAvg", "FedPer 1", "FedRep", "FedBABU", "local only")
    table = accuracy_on_cifar10(plan=plan, classes_per_client=(4,), methods=names, rates=(1e-6, 0.03, 1e30), seeds=2)
    last = table[table["round"] == 2]
    tuning, judged = last[last["use"] == "tuning"], judging(last)
    assert set(tuning["seed"]) == {1000} and set(judged["seed"]) == {0, 1}
    assert set(judged["method"]) == {*names, "FedAvg + FT", "FedPer 1 + FT"}
    assert not judged.duplicated(["method", "seed"]).any() and (tuning["accuracy"] == 0).any()  # some overflow
    for name in names:
        tried = tuning[(tuning["method"] == name) & (tuning["finetune_lr"].isna())]
        assert tried["lr"].tolist() == [1e-6, 0.03, 1e30]
        own = judged[judged["method"] == name]["lr"].unique()
        if name != "FedBABU":
            assert own.tolist() == [tried.loc[tried["accuracy"].idxmax(), "lr"]]
    for name in ("FedAvg + FT", "FedPer 1 + FT", "FedBABU"):
        tried = tuning[(tuning["method"] == name) & tuning["finetune_lr"].notna()]
        settings, columns = own_rates.FINETUNE_RATES, ["lr", "finetune_lr", "finetune_epochs"]
        trained = 3 if name == "FedBABU" else 1  # whose rate and fine-tuning are chosen together
        assert len(tried) == trained * len(settings) * len(own_rates.FINETUNE_EPOCHS)
        best = tried.loc[tried["accuracy"].idxmax(), columns]
        own = last[(last["method"] == name) & (last["use"] == "judging")][columns].drop_duplicates()
        assert own.to_numpy().tolist() == [best.tolist()]
    drawn = [figures.accuracy_by_round(table, data="CIFAR-10"), figures.comparison(table)]
    assert all("own learning rate" in figure.scarce_caption for figure in drawn)
    ends = table.assign(lr=table["lr"].mask((table["use"] == "judging") & (table["method"] == "FedRep"), 1e30))
    assert "beyond: FedRep" in figures.comparison(ends).scarce_caption
    options = {"classes_per_client": (4,), "methods": ("FedPer 1",), "rates": (0.001, 0.03), "seeds": 2}
    judged_only = figures.networks(table.assign(network="small")).scarce_caption
    assert judged_only == figures.networks(judging(table).assign(network="small")).scarce_caption
    linear = accuracy_on_cifar10(plan=plan, build=ablation.linear_images, **options)
    both = ablation.bases_on_cifar10(table, linear)
    assert both.groupby(["base", "method"]).size().to_dict() == {
        ("deep", "FedPer 1"): 2, ("deep", "local only"): 2, ("linear", "FedPer 1"): 2,
    }  # fmt: skip
    assert "not shared" in figures.base_ablation(both).scarce_caption


@pytest.mark.parametrize("name", own_rates.FINETUNED)
def test_fine_tuning_at_own_settings_is_training_from_the_models_of_the_run(noisy_images, name):
    plan = Plan(rounds=1, steps=2, batch_size=8)
    federation = functools.partial(class_federation, *images.pooled(""), classes_per_client=4)
    one = own_rates.Arm(name=name, build=images.CNN, federation=federation, plan=plan)
    run = one.run(0.01, 3, use="judging")
    (row,) = one.finetuned(run, 0.02, 2).to_dict("records")
    history, clients = run[1], one.federation(seed=3)
    found = []
    for c, data in enumerate(clients.clients):
        net = images.CNN()
        net.load_state_dict(history.state.tensors | history.memories.get(c, {}))
        tuned = net.blocks[-1] if name == "FedPer 1" else net  # the head on its base; everything elsewhere
        optimizer = torch.optim.SGD(tuned.parameters(), lr=0.02, momentum=plan.momentum)
        local = LocalSGD(lr=0.02, momentum=plan.momentum, batch_size=8, epochs=2)
        for batch in minibatches(data.examples, local, evaluation_rng(3, 1, c)):
            optimizer.zero_grad()
            F.cross_entropy(net(data.train_x[batch]), data.train_y[batch]).backward()
            optimizer.step()
        found.append(float((net(data.test_x).argmax(1) == data.test_y).float().mean()))
    assert row["method"] == own_rates.FINETUNED[name]
    assert row["accuracy"] == pytest.approx(np.mean(found), abs=0.02)
    assert (row["finetune_lr"], row["finetune_epochs"], row["lr"]) == (0.02, 2, 0.01)


def test_a_judged_run_whose_weights_overflow_has_learnt_nothing_fine_tuned_or_not(noisy_images):
    federation = functools.partial(class_federation, *images.pooled(""), classes_per_client=4)
    plan = Plan(rounds=2, steps=2, batch_size=8)
    one = own_rates.Arm(name="FedPer 1", build=images.CNN, federation=federation, plan=plan)
    run = one.run(1e30, 0, use="judging")
    (row,) = one.finetuned(run, 0.01, 1).to_dict("records")
    assert run[0]["accuracy"].tolist() == [0] and (row["accuracy"], row["method"]) == (0, "FedPer 1 + FT")


@pytest.mark.parametrize("name", ["ResNet-34", "MobileNet-v1"])
def test_small_images_keep_their_pixels_in_the_papers_networks(name):
    small, large = network(f"{name} / 8", 32)(), network(f"{name} / 8", 64)()
    x = torch.zeros(1, 3, 32, 32)
    assert small.blocks[0](x).shape[-1] == 32
    assert large.blocks[0](x).shape[-1] == (16 if name == "ResNet-34" else 32)  # 64 pixels, by four or by two
    assert small.blocks[:-1](x).shape[-1] >= 2


def test_clusters_are_a_hundred_classes_that_a_network_can_learn():
    x, y = many_classes.clusters()
    assert x.shape == (6000, 50) and np.bincount(y).tolist() == [60] * 100
    assert np.allclose(x.mean(0), 0, atol=1e-5) and np.allclose(x.std(0), 1, atol=1e-5)
    plan = Plan(rounds=1, steps=5)
    options = {"methods": ("FedAvg", "FedPer 1"), "rates": (0.05,), "plan": plan, "seeds": 1}
    table = many_classes.accuracy_on_many_classes(classes_per_client=(10, 100), **options)
    assert set(table["classes_per_client"]) == {10, 100} and table["accuracy"].between(0, 1).all()


def test_a_round_costs_what_its_messages_and_memory_hold():
    table = round_costs(steps=2).set_index("method")
    whole, head = sum(unit_sizes()) / 256, unit_sizes()[-1] / 256  # KiB of float32
    assert table.loc["FedAvg", "down_kib"] == whole and table.loc["FedAvg", "kept_kib"] == 0
    assert table.loc["FedPer 1", "down_kib"] == whole - head and table.loc["FedPer 1", "kept_kib"] == head
    assert table.loc["local only", "kept_kib"] == whole and table.loc["local only", "down_kib"] == 0
    assert table.loc["FedPer 1", "mflop"] == table.loc["FedAvg", "mflop"] == table.loc["Ditto", "mflop"] / 2


def test_real_tables_refuse_an_unknown_data_set():
    assert real_tables(["digits"], plan=Plan()) == {}
    with pytest.raises(ValueError, match="unknown data set 'cifar'"):
        real_tables(["cifar"], plan=Plan())


def test_real_tables_on_the_sample_of_femnist():
    from lib.data import needed

    if needed.absent("femnist-digits"):
        pytest.skip("needs femnist-digits: set SCARCE_DATA_MIRROR")
    table = real_tables(["femnist-digits"], plan=Plan(rounds=1, steps=2), seeds=1)["femnist"]
    methods = {"FedAvg", "FedPer 1", "local only", "FedAvg + FT", "FedPer 1 + FT"}
    assert set(table["method"]) == methods and table["accuracy"].between(0, 1).all()
    assert judging(table)["seed"].unique().tolist() == [0]
    assert "own learning rate" in figures.accuracy_by_user(table).scarce_caption


def test_raters_of_photos_become_clients(tmp_path, monkeypatch):
    from PIL import Image

    from lib.data import flickr_aes, store

    monkeypatch.setenv("SCARCE_DATA", str(tmp_path))
    monkeypatch.setattr(store, "_VERIFIED", {})
    path = tmp_path / flickr_aes.LABELS
    (path.parent / "40K").mkdir(parents=True)
    rng, lines = np.random.default_rng(0), ["worker, imagePair, score"]
    for rater, count in enumerate((10, 10, 12, 3)):  # the last one rated too few photos
        for photo in range(count):
            lines.append(f"A{rater}, {photo}.png, {1 + (photo + rater) % 5}")
    for photo in range(12):
        Image.fromarray(rng.integers(0, 255, (12, 9, 3), dtype=np.uint8)).save(path.parent / "40K" / f"{photo}.png")
    path.write_text("\n".join(lines) + "\n")
    flickr_aes.register()
    federation = raters_federation(flickr_aes.flickr_aes(), raters=3, photos=(10, 12), size=8)
    assert sorted(data.examples + len(data.test_y) for data in federation.clients) == [10, 10, 12]
    for data in federation.clients:
        assert data.train_x.shape[1:] == (3, 8, 8) and data.train_x.abs().max() <= 1
        assert set(np.r_[data.train_y, data.test_y]) == {0, 1, 2, 3, 4}
    table = accuracy_on_flickr(raters=3, photos=(10, 12), size=8, seeds=1, plan=Plan(rounds=1))
    assert set(table["method"]) == {"FedAvg", "FedPer 1", "local only"} and table["accuracy"].between(0, 1).all()
    with pytest.raises(ValueError, match="3 raters with 10 to 12 photos"):
        raters_federation(flickr_aes.flickr_aes(), photos=(10, 12))


def test_rates_are_chosen_on_other_partitions():
    rows = [("tuning", 0.1, 1000, 0.9), ("tuning", 0.2, 1000, 0.8), ("judging", 0.1, 0, 0.1), ("judging", 0.2, 0, 1.0)]
    table = pd.DataFrame(rows, columns=["use", "lr", "seed", "accuracy"]).assign(classes_per_client=4, method="FedAvg")
    chosen = tuned(table)
    assert chosen["lr"].tolist() == [0.1] and chosen["accuracy"].tolist() == [0.1]


def test_a_rate_that_overflows_counts_as_nothing_learnt():
    table = learning_rates(rates=(0.05, 1e30), methods=("FedAvg",), classes_per_client=(4,), **TINY)
    assert (table.loc[table["lr"] == 1e30, "accuracy"] == 0).all()
    assert (table.loc[table["lr"] == 0.05, "accuracy"] > 0).all()
    assert set(table["use"]) == {"tuning", "judging"} and not set(table[table["use"] == "tuning"]["seed"]) & {0}
    assert (tuned(table)["lr"] == 0.05).all()
    assert figures.learning_rates(table).axes


def test_squared_gradient_is_that_of_the_objective():
    model = Model(functools.partial(mlp, (64, 5, 10)))
    federation = class_federation(*digits(), clients=3, classes_per_client=10, seed=0)
    values = [{name: value.double() for name, value in model.init(seed).items()} for seed in range(3)]
    head = [name for name in model.names if name.startswith("blocks.1")]
    base = {name: value for name, value in values[0].items() if name not in head}
    heads = [{name: one[name] for name in head} for one in values]
    as_double = tuple(replace(data, train_x=data.train_x.double()) for data in federation.clients)
    federation = replace(federation, clients=as_double)
    leaves = {name: value.clone().requires_grad_() for name, value in base.items()}
    own = [{name: value.clone().requires_grad_() for name, value in one.items()} for one in heads]
    losses = [
        F.cross_entropy(model(leaves | block, data.train_x), data.train_y)
        for block, data in zip(own, federation.clients, strict=True)
    ]
    sizes = [data.examples for data in federation.clients]
    sum(n / sum(sizes) * loss for n, loss in zip(sizes, losses, strict=True)).backward()
    expected = sum(float(leaf.grad.square().sum()) for leaf in leaves.values())
    for n, block in zip(sizes, own, strict=True):  # undo the client's weight: L_j itself, not its share of F
        expected += sum(float((leaf.grad * sum(sizes) / n).square().sum()) for leaf in block.values()) / 3
    assert squared_gradient(model, federation, base, heads) == pytest.approx(expected, rel=1e-9)


def test_gradient_falls_with_more_rounds():
    table = stationarity(horizons=(8, 128), seeds=1)
    wide = table.pivot_table(index="rounds", columns="method", values="squared_gradient")
    assert (wide.loc[128] < wide.loc[8]).all()
    assert figures.stationarity(table).axes


def test_the_papers_networks_are_refused_by_a_wrong_name():
    for name in ("ResNet-50", "ResNet-34 / 0", "ResNet-34 / wide"):
        with pytest.raises(ValueError, match="choose ResNet-34"):
            networks_on_cifar10(plan=Plan(), networks=(name,))
        with pytest.raises(ValueError, match="choose ResNet-34"):  # before anything is computed
            real_tasks(["cifar10"], plan=Plan(), networks=[name])


def test_the_partition_shown_is_the_one_trained_on():
    table = digits_partition(classes_per_client=3, clients=6, seed=2)
    federation = class_federation(*digits(), clients=6, classes_per_client=3, seed=2)
    assert table["examples"].sum() == 1797
    for client, data in enumerate(federation.clients):
        rows = table[table["client"] == client].set_index("class")["examples"]
        counts = np.bincount(np.r_[data.train_y, data.test_y], minlength=10)
        assert rows.reindex(range(10)).tolist() == counts.tolist() and (rows > 0).sum() <= 3


def test_build_is_picklable():
    import pickle

    assert isinstance(pickle.loads(pickle.dumps(DIGITS_NET)), functools.partial)
