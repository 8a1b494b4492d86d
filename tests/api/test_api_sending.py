"""`POST /api/messages`: what is answered, and what then is in the database."""

from api.house import House, house, run

HI = {"message": "Hi", "recipientPhone": "+12025551234"}


def test_a_new_person_is_a_201_and_a_known_one_a_200_with_the_duplicate_fields() -> None:
    async def main() -> None:
        async with house() as it:
            first = await it.send(HI)
            assert first.status_code == 201, first.text
            assert "duplicateOnly" not in first.json()
            second = await it.send({**HI, "message": "Hi again"})
            assert second.status_code == 200, second.text
            lead_id = first.json()["leadId"]
            assert second.json()["leadId"] == lead_id
            assert second.json()["duplicateOnly"] is True
            assert second.json()["existingLeadIds"] == second.json()["leadIds"] == [lead_id]
            assert second.json()["duplicateMessage"] == "Lead was duplicate; message sent using existing lead."

    run(main)
